"""./tigerbush results: results on a disk or in object storage, listed and downloaded."""
