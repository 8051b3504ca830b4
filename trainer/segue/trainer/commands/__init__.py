"""One module per command of ``segue-trainer``."""
