"""tigerbush: from Sentinel-2 products to measures of patterned vegetation.

Plain functions on arrays and tables; nothing here knows of Snakemake.
"""

__version__ = "0.1.0"
