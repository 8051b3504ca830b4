"""Checks of the ports."""

from __future__ import annotations

import errno
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
    """Checks that the ports of the server, of health and of the metrics can be opened."""
    port = _check_listener("port", settings.listen, settings)
    yield port
    if settings.health_listen:
        yield _check_listener("health port", settings.health_listen, settings)
    if settings.metrics_listen:
        yield _check_metrics_port(settings.metrics_listen, server_runs=port.level == "warn")


def _check_listener(what: str, address: str, settings: Settings) -> CheckResult:
    if address.startswith("unix:"):
        return _check_socket(what, address)
    return _check_port(what, address, _certificate(settings))


def _check_socket(what: str, address: str) -> CheckResult:
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
            what, "fail", text, f"Name a path of up to {MAX_SOCKET_PATH_BYTES} bytes in a folder that can be written."
        )
    return CheckResult(what, "ok", f"{address} can be opened")


def _certificate(settings: Settings) -> CertificateAndKey | None:
    certificate, key = settings.tls_certificate, settings.tls_key
    return (certificate, key) if certificate and key else None


def _check_port(what: str, address: str, tls: CertificateAndKey | None) -> CheckResult:
    error = _bind_error(address)
    local = local_address(address)
    if error and is_local(local) and check(local, timeout=_HEALTH_SECONDS, tls=tls) is None:
        text = f"a healthy server answers at {address} already"
        return CheckResult(what, "warn", text, "Stop it before you start another one.")
    return _result(what, address, error)


def _check_metrics_port(address: str, server_runs: bool) -> CheckResult:
    error = _bind_error(address)
    if server_runs and error and error.errno == errno.EADDRINUSE:
        text = f"{address} is in use, probably by the server that runs already"
        return CheckResult("metrics port", "warn", text, "Stop that server before you start another one.")
    return _result("metrics port", address, error)


def _bind_error(address: str) -> OSError | None:
    """Returns the error of an attempt to use a port, or None if it is free."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, _, _, socket_address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            # A port that was in use a moment ago can be opened by a server.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(socket_address)
    except OSError as error:
        return error
    return None


def _result(what: str, address: str, error: OSError | None) -> CheckResult:
    if error is None:
        return CheckResult(what, "ok", f"{address} is free")
    text = f"{address}: {error.strerror or error}"
    return CheckResult(what, "fail", text, "Stop the program that uses it, or name another address.")
