"""Whom a client trusts, and how it says who it is."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

import grpc

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a connection is secured; with nothing given it is plain text, and the caller nobody.

    Attributes:
        tls: Whether the connection is encrypted. True by itself where any of the next three is given.
        ca: PEM file of the roots that the server's certificate must come from; None trusts the usual ones.
        certificate: PEM file of the client's own certificate, for a server that asks for one.
        key: PEM file of that certificate's key.
        token: What the server knows the caller by. It is sent in plain text to this machine only.

    Raises:
        ValueError: A certificate is given without its key, or a key without its certificate.
    """

    tls: bool = False
    ca: _Path | None = None
    certificate: _Path | None = None
    key: _Path | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a certificate goes with its key: give both or neither")
        if self.ca or self.certificate:
            object.__setattr__(self, "tls", True)

    def for_channel(self) -> grpc.ChannelCredentials | None:
        """Reads the files; None is for plain text.

        Raises:
            ValueError: One of them cannot be read.
        """
        if not self.tls:
            return None
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.certificate))

    def for_calls(self, address: str) -> tuple[tuple[str, str], ...]:
        """Makes the metadata that every call to an address carries.

        Raises:
            ValueError: There is a token, and others could read it on the way.
        """
        if not self.token:
            return ()
        if not self.tls and not _is_local(address):
            raise ValueError(f"a token would go to {address} in plain text: use TLS")
        return (("authorization", f"Bearer {self.token}"),)


def _read(path: _Path | None) -> bytes | None:
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
