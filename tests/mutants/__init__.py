"""Mutation testing (`make mutants`): small faults are put into the library, to find those that no unit test detects."""
