"""Products cut to a site, one composite per date, and its sub-images."""
