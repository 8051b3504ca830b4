"""The error of a server that only reads."""

from __future__ import annotations

from segue.core.errors import AccessError


class WritesDisabled(AccessError):
    """The server was not started with ``--allow-writes``."""

    reason = "WRITES_DISABLED"
