"""Makes the server's front of its options, and says aloud what leaves it open."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path

from segue.core.errors import MalformedRequest
from segue.server.cli.options import Options
from segue.server.lifecycle import Front
from segue.server.observability.metrics import Metrics
from segue.server.security.tls import Tls, TlsFiles, watch_balancer
from segue.server.security.tokens import Tokens

_log = logging.getLogger(__name__)


def make_front(options: Options, metrics: Metrics) -> Front:
    """Reads certificates and tokens before any port is opened.

    Raises:
        MalformedRequest: they cannot be used, or one of them is given without the other that it needs.
    """
    files = tls_files(options)
    tls = Tls(files, metrics) if files else None
    if options.balancer_certificate and not tls:
        watch_balancer(options.balancer_certificate, metrics)
    tokens = Tokens(options.tokens) if options.tokens else None
    for warning in exposures(options):
        _log.warning("%s", warning)
    return Front(
        address=options.listen,
        grace=options.grace,
        drain=options.drain,
        connection_age=options.max_connection_age,
        when_ready=options.listen_when_ready,
        tls=tls,
        tokens=tokens,
    )


def tls_files(options: Options) -> TlsFiles | None:
    """The files of certificates that are named, or None where none is.

    Raises:
        MalformedRequest: one of them is named without the other that it needs.
    """
    certificate, key, client_ca = options.tls_certificate, options.tls_key, options.tls_client_ca
    if certificate and key:
        return TlsFiles(certificate, key, client_ca)
    given: list[Path] = [path for path in (certificate, key, client_ca) if path]
    if given:
        missing = "--tls-key" if certificate else "--tls-certificate"
        raise MalformedRequest("tls", f"{given[0]} alone secures nothing. Give {missing} too.")
    return None


def exposures(options: Options) -> list[str]:
    """What others can read or do who reach the server from another machine, as sentences."""
    if is_local(options.listen):
        return []
    found = []
    if not options.tls_certificate:
        what = "music and tokens" if options.tokens else "music"
        found.append(f"{options.listen} has no TLS: whoever is on the way reads {what}. See --tls-certificate.")
    if not options.tokens and not options.tls_client_ca:
        found.append(f"{options.listen} asks for no token: whoever reaches it may call. See --tokens.")
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
