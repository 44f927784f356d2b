"""From satellite scenes to measures of patterned vegetation: plain functions that know nothing of Snakemake."""

import tigerbush.lazy_boto3  # noqa: F401  before anything imports rasterio
