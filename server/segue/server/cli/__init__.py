"""The ``segue-server`` command: one module for each of its commands, and their options."""
