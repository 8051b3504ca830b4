"""The client of Segue."""
