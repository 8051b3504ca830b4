"""Counts the connections of a port, as the operating system lists them, and warns when hardly any is left."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

_TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_ESTABLISHED = "01"
_PERIOD_SECONDS, _WARNING_SECONDS = 2.0, 60.0

_log = logging.getLogger(__name__)


class ConnectionCount:
    """The connections of the port of a server; on systems other than Linux it counts none.

    Attributes:
        port: the port, or None for a socket, whose connections are not counted.
    """

    port: int | None = None

    def follow(self, address: str) -> None:
        """Counts the connections of an address, HOST:PORT or unix:PATH."""
        port = address.rpartition(":")[2]
        self.port = int(port) if port.isdecimal() else None

    def total(self) -> int:
        """Returns the number of connections."""
        return self.by_machine().total()

    def by_machine(self) -> Counter[str]:
        """Returns the number of connections of each machine, by its address."""
        counts: Counter[str] = Counter()
        for table in _TABLES:
            with suppress(OSError):
                counts += self._read(table)
        return counts

    def _read(self, table: Path) -> Counter[str]:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
        return Counter(
            readable_address(remote.partition(":")[0])
            for _, local, remote, state, *_ in rows
            if state == _ESTABLISHED and int(local.rpartition(":")[2], 16) == self.port
        )

    async def warn_repeatedly(self, limit: int) -> None:
        """Logs a warning, once a minute, while nine tenths of the connections that the server accepts are in use."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            counts = await asyncio.to_thread(self.by_machine)  # 0.1 s for 30,000 connections of the machine
            if counts.total() >= 0.9 * limit:
                machine, most = counts.most_common(1)[0]
                _log.warning(
                    "%d of %d connections are in use, %d of them by %s; beyond the limit newcomers are refused. "
                    "Let a balancer limit the connections of one machine, see docs/operations.md.",
                    *(counts.total(), limit, most, machine),
                )
                await asyncio.sleep(_WARNING_SECONDS)


def readable_address(field: str) -> str:
    """Returns an address of the kernel's table, which has words of four bytes in the order of this machine."""
    words = [bytes.fromhex(field[start : start + 8]) for start in range(0, len(field), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ip_address(packed)
    return str(getattr(address, "ipv4_mapped", None) or address)
