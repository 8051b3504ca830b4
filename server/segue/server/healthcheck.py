"""``python -m segue.server.healthcheck [SERVICE]`` asks the server in this container how it is; 0 means well.

Container engines run it every few seconds, so it imports nothing but gRPC where there is no TLS. It reads the server's
settings from where the server does: the environment, and the file that SEGUE_CONFIG names.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.server.settings import DEFAULT_LISTEN

TIMEOUT_SECONDS = 4.0

# Whoever listens on all addresses is reached on the loopback.
_OF_THIS_MACHINE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound here


def local_address(listen: str) -> str:
    """The address at which a server that listens on ``listen`` answers from its own machine.

    Args:
        listen: HOST:PORT or unix:PATH, as ``segue-server --listen`` takes it.
    """
    host, colon, port = listen.rpartition(":")
    return f"{_OF_THIS_MACHINE.get(host, host)}{colon}{port}"


Shown = tuple[Path, Path]
"""A server's own certificate and its key."""


def check(address: str, service: str = "", timeout: float = TIMEOUT_SECONDS, shown: Shown | None = None) -> str | None:
    """Asks the standard health service.

    Args:
        address: where the server answers.
        service: the full name of a service, or "" for the server as a whole.
        timeout: how many seconds it may take.
        shown: what the server shows, or None for one without TLS.

    Returns:
        What is wrong, or None.
    """
    try:
        opened = _channel(address, shown)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"{shown and shown[0]} cannot be used: {error}"
    with opened as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout, wait_for_ready=True)
        except grpc.RpcError as error:
            return f"{address} answers {error.code().name}: {error.details()}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return None if status == "SERVING" else f"{service or 'the server'} is {status}"


def _channel(address: str, shown: Shown | None) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if shown is None:
        return grpc.insecure_channel(address, options=options)
    # It trusts what this very server shows, under whatever name, and shows the same where clients have to.
    chain, key = (path.read_bytes() for path in shown)
    options.append(("grpc.ssl_target_name_override", _name(chain)))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(chain, key, chain), options=options)


def _name(chain: bytes) -> str:
    """One of the names that the first certificate is for.

    Raises:
        ValueError: it is no certificate, or names nothing.
    """
    from cryptography import x509  # noqa: PLC0415 - only with TLS

    (certificate, *_) = x509.load_pem_x509_certificates(chain)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("it names no host") from error
    return str(next(iter(names)).value).replace("*", "health")


def _setting(key: str) -> str:
    """A setting of the server, or "" where it has none.

    Raises:
        OSError: the file of settings cannot be read.
        ValueError: it is not TOML.
    """
    if value := os.environ.get(f"SEGUE_{key.replace('-', '_').upper()}"):
        return value
    file = os.environ.get("SEGUE_CONFIG")
    return str(tomllib.loads(Path(file).read_text(encoding="utf-8")).get(key, "")) if file else ""


def _ask(service: str) -> str | None:
    """What is wrong with the server of these settings, or with the settings."""
    try:
        address = local_address(_setting("listen") or DEFAULT_LISTEN)
        certificate, key = _setting("tls-certificate"), _setting("tls-key")
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"{os.environ['SEGUE_CONFIG']} is not TOML: {error}"
    return check(address, service, shown=(Path(certificate), Path(key)) if certificate else None)


def main() -> None:
    """Asks once, and exits with 1 and a sentence if anything is wrong."""
    problem = _ask(sys.argv[1] if len(sys.argv) > 1 else "")
    sys.exit(f"healthcheck: {problem}" if problem else 0)


if __name__ == "__main__":
    main()
