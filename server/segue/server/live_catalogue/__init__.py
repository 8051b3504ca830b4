"""The searchable catalogue in memory, which follows the events of the store."""
