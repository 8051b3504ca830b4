"""Checks of the ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from segue.core.paths import MAX_SOCKET_PATH_BYTES
from segue.server.healthcheck import CertificateAndKey, check, local_address
from segue.server.preflight.check_result import CheckResult
from segue.server.security.exposure import is_local
from segue.server.settings import Settings

_HEALTH_SECONDS = 2.0


def check_ports(settings: Settings) -> Iterator[CheckResult]:
    """Checks that the port of the server and the port of the metrics can be opened."""
    unix = settings.listen.startswith("unix:")
    yield _check_socket(settings.listen) if unix else _check_port("port", settings.listen, _certificate(settings))
    if settings.metrics_listen:
        yield _check_port("metrics port", settings.metrics_listen)


def _check_socket(address: str) -> CheckResult:
    """Opens another socket in the same folder: gRPC replaces a socket that exists already."""
    path = Path(address.removeprefix("unix:"))
    trial_path = path.with_name(path.name[:-1] + "~")  # of the same length, which is limited
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(trial_path))
        trial_path.unlink()
    except OSError as error:
        text = f"{address} cannot be opened: {error.strerror or error}"
        return CheckResult(
            "port", "fail", text, f"Name a path of up to {MAX_SOCKET_PATH_BYTES} bytes in a folder that can be written."
        )
    return CheckResult("port", "ok", f"{address} can be opened")


def _certificate(settings: Settings) -> CertificateAndKey | None:
    certificate, key = settings.tls_certificate, settings.tls_key
    return (certificate, key) if certificate and key else None


def _check_port(what: str, address: str, tls: CertificateAndKey | None = None) -> CheckResult:
    host, _, port = address.rpartition(":")
    try:
        family, kind, _, _, socket_address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            # A port that was in use a moment ago can be opened by a server.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(socket_address)
    except OSError as error:
        return _occupied_port(what, address, error.strerror or str(error), tls)
    return CheckResult(what, "ok", f"{address} is free")


def _occupied_port(what: str, address: str, problem: str, tls: CertificateAndKey | None) -> CheckResult:
    local = local_address(address)
    if what == "port" and is_local(local) and check(local, timeout=_HEALTH_SECONDS, tls=tls) is None:
        text = f"a healthy server answers at {address} already"
        return CheckResult(what, "warn", text, "Stop it before you start another one.")
    return CheckResult(what, "fail", f"{address}: {problem}", "Stop the program that uses it, or name another address.")
