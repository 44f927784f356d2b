"""Decisions before the first job; only the standard library, utm and yaml are imported."""
