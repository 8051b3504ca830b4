"""Opens the catalogue for a command, and publishes and backs it up."""
