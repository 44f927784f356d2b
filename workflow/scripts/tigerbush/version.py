"""The version; no result depends on it."""

__version__ = "0.1.0"
