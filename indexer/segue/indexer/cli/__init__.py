"""The ``segue-indexer`` command: options, progress, reports."""
