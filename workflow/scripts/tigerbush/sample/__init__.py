"""The simulated products of the sample, and their truth."""
