"""Stand-ins for demonstrations and tests: an in-memory store and synthetic clips."""
