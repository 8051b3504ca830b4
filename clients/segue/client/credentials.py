"""TLS and token of a client."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

import grpc

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The security of a connection; by default plain text without a token.

    Attributes:
        tls: True to encrypt the connection; implied by `ca` and `certificate`.
        ca: PEM file of the roots to trust; None is gRPC's default roots.
        certificate: PEM file of the client's certificate, for a server that requires one.
        key: PEM file of the certificate's key.
        token: the bearer token of the caller; in plain text it is only sent to this machine.

    Raises:
        ValueError: a certificate is given without its key, or a key without its certificate.
    """

    tls: bool = False
    ca: _Path | None = None
    certificate: _Path | None = None
    key: _Path | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a certificate needs its key: give both or neither")
        if self.ca or self.certificate:
            object.__setattr__(self, "tls", True)

    def for_channel(self) -> grpc.ChannelCredentials | None:
        """Reads the files into gRPC's credentials, or returns None for plain text.

        Raises:
            ValueError: a file cannot be read.
        """
        if not self.tls:
            return None
        return grpc.ssl_channel_credentials(_read_file(self.ca), _read_file(self.key), _read_file(self.certificate))

    def for_calls(self, address: str) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of every call to an address.

        Raises:
            ValueError: a token would leave this machine in plain text.
        """
        if not self.token:
            return ()
        if not self.tls and not _is_local(address):
            raise ValueError(f"the token would go to {address} in plain text: use TLS")
        return (("authorization", f"Bearer {self.token}"),)


def _read_file(path: _Path | None) -> bytes | None:
    try:
        return Path(path).read_bytes() if path else None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_local(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
