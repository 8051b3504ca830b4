"""The indexer: sources, pipeline, catalogue writer."""
