"""The ``segue-indexer`` command: options, progress, output."""
