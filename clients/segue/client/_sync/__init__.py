"""The parts of the synchronous client: its connection, and the methods of the smaller services."""
