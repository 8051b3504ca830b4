"""The searchable catalogue in memory, which follows the events in Redis."""
