"""From the summary of a site to series, indicators and the comparison of sites."""
