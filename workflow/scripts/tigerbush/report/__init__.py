"""Figures, maps and reports in plain words."""
