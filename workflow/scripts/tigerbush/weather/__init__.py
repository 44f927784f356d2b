"""Rainfall and temperature of a site."""
