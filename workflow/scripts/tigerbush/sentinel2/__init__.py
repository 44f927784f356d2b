"""Sentinel-2: names, bands, tiles, metadata, files and masks; another sensor is a folder beside it."""
