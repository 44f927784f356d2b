"""What there is to process, and how it comes here: folders, object stores, catalogues."""
