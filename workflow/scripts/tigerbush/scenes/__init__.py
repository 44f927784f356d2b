"""Scenes: whole products at one resolution, made with NumPy or by ESA SNAP."""
