"""Checks the health of the server in this container: ``python -m segue.server.healthcheck [SERVICE]``; 0 is healthy.

Container engines run it every few seconds, so without TLS it imports little more than gRPC. It reads the settings where
the server does: from the environment, and from the file that SEGUE_CONFIG names.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.core.settings.file import find_settings_file
from segue.server.settings import DEFAULT_LISTEN

TIMEOUT_SECONDS = 4.0

# The loopback address of each address that means all interfaces.
_LOOPBACKS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound here

CertificateAndKey = tuple[Path, Path]
"""A server's own certificate and its key."""


def local_address(listen: str) -> str:
    """Returns the address of a server for clients on the same machine.

    Args:
        listen: HOST:PORT or unix:PATH, as in ``segue-server --listen``.
    """
    host, colon, port = listen.rpartition(":")
    return f"{_LOOPBACKS.get(host, host)}{colon}{port}"


def check(
    address: str, service: str = "", timeout: float = TIMEOUT_SECONDS, tls: CertificateAndKey | None = None
) -> str | None:
    """Reads the health of a server by the standard health service.

    Args:
        address: address of the server.
        service: full name of a service, or "" for the server as a whole.
        timeout: time limit in seconds.
        tls: certificate and key of the server, or None for a server without TLS.

    Returns:
        The problem as a sentence, or None.
    """
    try:
        opened = _channel(address, tls)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"{tls and tls[0]} cannot be used: {error}"
    with opened as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout, wait_for_ready=True)
        except grpc.RpcError as error:
            return f"{address} answers {error.code().name}: {error.details()}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    return None if status == "SERVING" else f"{service or 'the server'} is {status}"


def _channel(address: str, tls: CertificateAndKey | None) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    # The check trusts this server's own certificate under any name, and shows it where clients must show one.
    chain, key = (path.read_bytes() for path in tls)
    options.append(("grpc.ssl_target_name_override", _certificate_name(chain)))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(chain, key, chain), options=options)


def _certificate_name(chain: bytes) -> str:
    """Returns a host name of the first certificate.

    Raises:
        ValueError: there is no certificate, or it names no host.
    """
    from cryptography import x509  # noqa: PLC0415 - only with TLS

    (certificate, *_) = x509.load_pem_x509_certificates(chain)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("it names no host") from error
    return str(next(iter(names)).value).replace("*", "health")


class _Settings:
    """The settings of the server that the check needs."""

    def __init__(self) -> None:
        """Reads the file of settings, if there is one.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is not TOML.
        """
        named = os.environ.get("SEGUE_CONFIG")
        file = find_settings_file(Path(named) if named else None)
        document = tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
        section = document.get("server")
        self._values = document | section if isinstance(section, dict) else document

    def get(self, key: str) -> str:
        """Returns a setting, or "" if it is not set."""
        return os.environ.get(f"SEGUE_{key.replace('-', '_').upper()}") or str(self._values.get(key, ""))


def _check_configured_server(service: str) -> str | None:
    """Returns the problem of the server, or of its settings, or None."""
    try:
        settings = _Settings()
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"the file of settings is not TOML: {error}"
    address = local_address(settings.get("health-listen") or settings.get("listen") or DEFAULT_LISTEN)
    certificate, key = settings.get("tls-certificate"), settings.get("tls-key")
    return check(address, service, tls=(Path(certificate), Path(key)) if certificate else None)


def main() -> None:
    """Checks once, and exits with 1 and a sentence if there is a problem."""
    problem = _check_configured_server(sys.argv[1] if len(sys.argv) > 1 else "")
    sys.exit(f"healthcheck: {problem}" if problem else 0)


if __name__ == "__main__":
    main()
