"""The commands of `segue`."""
