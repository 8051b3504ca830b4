"""Reports the state of the server to systemd, for units with Type=notify (the protocol of sd_notify(3))."""

from __future__ import annotations

import logging
import os
import socket

_log = logging.getLogger(__name__)


def notify_ready() -> None:
    """Reports that the server serves; does nothing if no service manager waits for it."""
    _notify("READY=1")


def notify_stopping() -> None:
    """Reports that the server stops."""
    _notify("STOPPING=1")


def _notify(state: str) -> None:
    """Sends a state to the socket that the service manager named; a failure is logged, and the server goes on."""
    name = os.environ.get("NOTIFY_SOCKET")
    if not name:
        return
    # A leading @ means the zero byte of an abstract address.
    address = "\0" + name[1:] if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(state.encode(), address)
    except OSError as error:
        _log.warning("the service manager at %s cannot be notified: %s", name, error)
