"""Warnings about a port that other machines reach without TLS or tokens."""

from __future__ import annotations

import ipaddress

from segue.server.settings import Settings


def exposure_warnings(settings: Settings) -> list[str]:
    """Returns a sentence for each thing that a caller from another machine can read or do without permission."""
    if is_local(settings.listen):
        return []
    warnings = []
    if not settings.tls_certificate:
        readable = "music and tokens" if settings.tokens else "music"
        warnings.append(
            f"{settings.listen} has no TLS: anyone on the network can read {readable}. See --tls-certificate."
        )
    if not settings.tokens and not settings.tls_client_ca:
        warnings.append(f"{settings.listen} requires no token: anyone who reaches it can call. See --tokens.")
    return warnings


def is_local(listen: str) -> bool:
    """Returns True if only this machine can reach an address."""
    host = listen.rpartition(":")[0].strip("[]")
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
