"""The ``segue`` command: options and output."""
