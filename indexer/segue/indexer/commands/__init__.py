"""The commands of ``segue-indexer``, one module each."""
