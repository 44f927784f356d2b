"""The reader of Sentinel-2 products, for `tigerbush.readers`."""

from tigerbush.sentinel2.files import list_files, list_folders, stored_checksums, unpack_product
from tigerbush.sentinel2.manifest import stated_files
from tigerbush.sentinel2.safe import open_product

__all__ = ["list_files", "list_folders", "open_product", "stated_files", "stored_checksums", "unpack_product"]
