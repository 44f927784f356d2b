"""The summary of a date and of a site, and what is missing from it."""
