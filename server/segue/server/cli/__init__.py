"""The ``segue-server`` command: options, configuration file, pre-flight checks."""
