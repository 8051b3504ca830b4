"""Settings of the operating-system process: memory, signals, and the service manager."""
