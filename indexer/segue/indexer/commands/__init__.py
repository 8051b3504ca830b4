"""One module per command of ``segue-indexer``."""
