"""TLS and mutual TLS: certificates that are checked before the port opens, and read again when their files change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from segue.core.errors import MalformedRequest
from segue.server.observability.metrics import Metrics
from segue.server.security.file_watcher import FileWatcher
from segue.server.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TlsFiles:
    """Where the certificates are.

    Attributes:
        certificate: PEM, the server's own certificate first, then those between it and a root.
        key: PEM, the private key of the first, without a passphrase.
        client_ca: PEM, the roots that clients' certificates must come from; None, and clients need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


def tls_files(settings: Settings) -> TlsFiles | None:
    """The files of certificates that are named, or None where none is.

    Raises:
        MalformedRequest: one of them is named without the other that it needs.
    """
    certificate, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate and key:
        return TlsFiles(certificate, key, client_ca)
    given: list[Path] = [path for path in (certificate, key, client_ca) if path]
    if given:
        missing = "--tls-key" if certificate else "--tls-certificate"
        raise MalformedRequest("tls", f"{given[0]} alone secures nothing. Give {missing} too.")
    return None


@dataclass(frozen=True)
class Certificates:
    """The contents of the files, which fit together.

    Attributes:
        chain: the certificates, PEM.
        key: the private key, PEM.
        client_ca: the roots of clients, PEM, or None.
        not_after: when the server's own certificate ends.
    """

    chain: bytes
    key: bytes
    client_ca: bytes | None
    not_after: datetime


def read_certificates(files: TlsFiles) -> Certificates:
    """Reads and checks the files.

    Raises:
        MalformedRequest: one cannot be read, is not what it should be, or the key is not that of the certificate.
    """
    chain, key = _read("tls-certificate", files.certificate), _read("tls-key", files.key)
    own = _certificates("tls-certificate", files.certificate, chain)[0]
    if _public_key(files.key, key) != own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise MalformedRequest(
            "tls-key", f"{files.key} is not the key of {files.certificate}. Give --tls-key the one it was made with."
        )
    client_ca = _read("tls-client-ca", files.client_ca) if files.client_ca else None
    if files.client_ca and client_ca is not None:
        _certificates("tls-client-ca", files.client_ca, client_ca)
    return Certificates(chain, key, client_ca, own.not_valid_after_utc)


def certificate_end(option: str, path: Path) -> datetime:
    """When the first certificate of a file ends.

    Raises:
        MalformedRequest: the file cannot be read, or holds none.
    """
    return _certificates(option, path, _read(option, path))[0].not_valid_after_utc


def watch_balancer(path: Path, metrics: Metrics) -> None:
    """Lets the metrics tell when the certificate ends that a balancer in front shows.

    It is read again whenever somebody looks at them; while it cannot be, the end that was known stays.

    Raises:
        MalformedRequest: it cannot be used.
    """
    option = "balancer-certificate"
    known = [certificate_end(option, path).timestamp()]

    def end() -> float:
        with suppress(MalformedRequest):
            known[0] = certificate_end(option, path).timestamp()
        return known[0]

    metrics.certificate_expires.set_function(end)


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedRequest(option, f"{path} cannot be read: {error.strerror}. See --{option}.") from error


def _certificates(option: str, path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise MalformedRequest(option, f"{path} holds no PEM certificate. Give --{option} one.") from error


def _public_key(path: Path, pem: bytes) -> bytes:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedRequest(
            "tls-key", f"{path} holds no PEM private key that can be used without a passphrase. Give --tls-key one."
        ) from error
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Tls:
    """What a port is secured with. New connections meet new certificates as soon as the files change."""

    def __init__(self, files: TlsFiles, metrics: Metrics) -> None:
        """Reads the files.

        Raises:
            MalformedRequest: they cannot be used.
        """
        self._files = files
        self._metrics = metrics
        self._watched = FileWatcher(files.certificate, files.key, *([files.client_ca] if files.client_ca else []))
        self._current = read_certificates(files)
        self._note()

    def credentials(self) -> grpc.ServerCredentials:
        """Makes what a port is opened with."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._current),
            self._handshake,  # type: ignore[arg-type] # its types leave out that None means no change
            require_client_authentication=self._files.client_ca is not None,
        )

    def _handshake(self) -> grpc.ServerCertificateConfiguration | None:
        """Asked by gRPC, in a thread of its own, before every handshake; None leaves all as it is."""
        return _configuration(self._current) if self._read_again() else None

    def _read_again(self) -> bool:
        if not self._watched.changed():
            return False
        try:
            self._current = read_certificates(self._files)
        except MalformedRequest as error:
            # One file of two may be written already; the other's change brings us here again.
            _log.warning("the certificates have changed and cannot be used, so the old ones stay: %s", error)
            return False
        self._note()
        return True

    def _note(self) -> None:
        ends = self._current.not_after
        self._metrics.certificate_expires.set(ends.timestamp())
        tell: Callable[..., None] = _log.info if datetime.now(UTC) < ends else _log.warning
        tell("the certificate %s is valid until %s", self._files.certificate, ends.isoformat())


def _configuration(current: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(current.key, current.chain)], current.client_ca)
