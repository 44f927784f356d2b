"""./tigerbush results: results in object storage."""
