"""The indexer: builds the catalogue from a music library."""
