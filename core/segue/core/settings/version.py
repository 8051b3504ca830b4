"""The version of Segue, which `pyproject.toml` and `clients/pyproject.toml` read from here."""

VERSION = "0.1.0"
"""Reading it from the installed package instead would add a third to the time in which `segue --help` prints."""
