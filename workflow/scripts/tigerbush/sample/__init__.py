"""The simulated products of the sample, and the truth behind them."""
