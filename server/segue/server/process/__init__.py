"""Settings of the operating-system process: memory and signals."""
