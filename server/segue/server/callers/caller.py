"""The caller of the running call: an access token or, on a server without tokens, the address of a machine."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv6Network
from urllib.parse import unquote

from segue.server.callers.quota import NO_QUOTAS, QuotaMeter


@dataclass(frozen=True)
class Caller:
    """A caller, whose calls share one place in the queue and the quotas of one token.

    Attributes:
        name: name of the token, or address of the machine without the port.
        meter: measures what it uses.
    """

    name: str
    meter: QuotaMeter = NO_QUOTAS


_current: ContextVar[Caller] = ContextVar("caller", default=Caller(""))  # noqa: B039 - it is immutable, and so is what it has


def current_caller() -> Caller:
    """Returns the caller of the call that this task works on; one without a name outside of calls."""
    return _current.get()


def set_current_caller(caller: Caller) -> None:
    """Sets the caller for the rest of this task, which must be that of a single call."""
    _current.set(caller)


def machine_of(peer: str) -> str:
    """Returns the address of a caller's machine: that of its connection, as gRPC writes it, without the port.

    Of IPv6, it is the network of 64 bits: every machine has as many addresses as it likes in its own.
    """
    kind, _, address = peer.partition(":")
    if kind == "ipv4":
        return peer.rpartition(":")[0]
    if kind == "ipv6":
        host = unquote(address).rpartition(":")[0].strip("[]").partition("%")[0]
        return f"ipv6:{IPv6Network((host, 64), strict=False)}"
    return peer
