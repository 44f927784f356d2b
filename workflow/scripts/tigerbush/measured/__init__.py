"""From the images of dates to the analysis of a site, one by one from files or many in memory."""
