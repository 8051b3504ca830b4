"""The server: services, live catalogue, lifecycle."""
