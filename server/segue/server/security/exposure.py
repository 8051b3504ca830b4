"""Says aloud what leaves the port open to others."""

from __future__ import annotations

import ipaddress

from segue.server.settings import Settings


def exposure_warnings(settings: Settings) -> list[str]:
    """What others can read or do who reach the server from another machine, as sentences."""
    if is_local(settings.listen):
        return []
    found = []
    if not settings.tls_certificate:
        what = "music and tokens" if settings.tokens else "music"
        found.append(f"{settings.listen} has no TLS: whoever is on the way reads {what}. See --tls-certificate.")
    if not settings.tokens and not settings.tls_client_ca:
        found.append(f"{settings.listen} asks for no token: whoever reaches it may call. See --tokens.")
    return found


def is_local(listen: str) -> bool:
    """Whether only this machine reaches an address."""
    host = listen.rpartition(":")[0].strip("[]")
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
