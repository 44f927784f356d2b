"""Whole products at one resolution, by arrays or by ESA SNAP."""
