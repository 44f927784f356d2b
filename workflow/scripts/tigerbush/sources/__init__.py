"""Sources of products: local folders, object stores and catalogues."""
