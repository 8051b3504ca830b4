"""The parts of the client for asyncio: its connection, and the methods of the smaller services."""
