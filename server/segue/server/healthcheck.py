"""``python -m segue.server.healthcheck [SERVICE]`` asks the server in this container how it is; 0 means well.

Container engines run it every few seconds, so it imports nothing but gRPC where there is no TLS. It reads the server's
settings from the environment, as the server does in a container.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEFAULT_LISTEN = "127.0.0.1:50051"
TIMEOUT_SECONDS = 4.0

# Whoever listens on all addresses is reached on the loopback.
_OF_THIS_MACHINE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound here


def reachable(listen: str) -> str:
    """The address at which a server that listens on ``listen`` answers from its own machine.

    Args:
        listen: HOST:PORT or unix:PATH, as ``segue-server --listen`` takes it.
    """
    host, colon, port = listen.rpartition(":")
    return f"{_OF_THIS_MACHINE.get(host, host)}{colon}{port}"


def check(address: str, service: str = "", timeout: float = TIMEOUT_SECONDS) -> str | None:
    """Asks the standard health service.

    Args:
        address: where the server answers.
        service: the full name of a service, or "" for the server as a whole.
        timeout: how many seconds it may take.

    Returns:
        What is wrong, or None.
    """
    try:
        opened = _channel(address)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"{os.environ['SEGUE_TLS_CERTIFICATE']} cannot be used: {error}"
    with opened as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout, wait_for_ready=True)
        except grpc.RpcError as error:
            return f"{address} answers {error.code().name}: {error.details()}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return None if status == "SERVING" else f"{service or 'the server'} is {status}"


def _channel(address: str) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if not (certificate := os.environ.get("SEGUE_TLS_CERTIFICATE")):
        return grpc.insecure_channel(address, options=options)
    # It trusts what this very server shows, under whatever name, and shows the same where clients have to.
    chain, key = Path(certificate).read_bytes(), Path(os.environ.get("SEGUE_TLS_KEY", "")).read_bytes()
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


def main() -> None:
    """Asks once, and exits with 1 and a sentence if anything is wrong."""
    address = reachable(os.environ.get("SEGUE_LISTEN") or DEFAULT_LISTEN)
    problem = check(address, service=sys.argv[1] if len(sys.argv) > 1 else "")
    sys.exit(f"healthcheck: {problem}" if problem else 0)


if __name__ == "__main__":
    main()
