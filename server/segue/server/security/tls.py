"""TLS and mutual TLS: certificates that are checked before the port opens, and reloaded when their files change."""

from __future__ import annotations

import logging
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
    """The PEM files of a server that uses TLS.

    Attributes:
        certificate: the server's own certificate first, then the intermediate ones.
        key: the private key of the first certificate, without a passphrase.
        client_ca: the roots of client certificates, or None if clients need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


def tls_files(settings: Settings) -> TlsFiles | None:
    """Returns the files of the settings, or None if they name none.

    Raises:
        MalformedRequest: the settings name only the certificate, only the key, or only the client roots.
    """
    certificate, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate and key:
        return TlsFiles(certificate, key, client_ca)
    named: list[Path] = [path for path in (certificate, key, client_ca) if path]
    if named:
        missing = "--tls-key" if certificate else "--tls-certificate"
        raise MalformedRequest("tls", f"{named[0]} alone secures nothing. Give {missing} too.")
    return None


@dataclass(frozen=True)
class Certificates:
    """The checked contents of the files.

    Attributes:
        chain: the server's certificate and the intermediate ones, PEM.
        key: the private key, PEM.
        client_ca: the roots of client certificates, PEM, or None.
        not_after: end of the server's certificate.
    """

    chain: bytes
    key: bytes
    client_ca: bytes | None
    not_after: datetime


def read_certificates(files: TlsFiles) -> Certificates:
    """Reads and checks the files.

    Raises:
        MalformedRequest: a file cannot be read or has the wrong content, or the key does not fit the certificate.
    """
    chain, key = _read_file("tls-certificate", files.certificate), _read_file("tls-key", files.key)
    own = _parse_certificates("tls-certificate", files.certificate, chain)[0]
    if _public_key(files.key, key) != own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise MalformedRequest(
            "tls-key", f"{files.key} is not the key of {files.certificate}. Give --tls-key the key that belongs to it."
        )
    client_ca = _read_file("tls-client-ca", files.client_ca) if files.client_ca else None
    if files.client_ca and client_ca is not None:
        _parse_certificates("tls-client-ca", files.client_ca, client_ca)
    return Certificates(chain, key, client_ca, own.not_valid_after_utc)


def certificate_end(option: str, path: Path) -> datetime:
    """Returns the end of the first certificate of a file.

    Raises:
        MalformedRequest: the file cannot be read, or holds no certificate.
    """
    return _parse_certificates(option, path, _read_file(option, path))[0].not_valid_after_utc


def watch_balancer(path: Path, metrics: Metrics) -> None:
    """Publishes the end of the certificate that a load balancer shows.

    The file is read again at every scrape; while it cannot be read, the metric keeps its last value.

    Raises:
        MalformedRequest: the file cannot be read, or holds no certificate.
    """
    option = "balancer-certificate"
    last_end = certificate_end(option, path).timestamp()

    def read_end() -> float:
        nonlocal last_end
        with suppress(MalformedRequest):
            last_end = certificate_end(option, path).timestamp()
        return last_end

    metrics.certificate_expires.set_function(read_end)


def _read_file(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedRequest(option, f"{path} cannot be read: {error.strerror}. See --{option}.") from error


def _parse_certificates(option: str, path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise MalformedRequest(option, f"{path} holds no PEM certificate. Give --{option} a file with one.") from error


def _public_key(path: Path, pem: bytes) -> bytes:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedRequest(
            "tls-key", f"{path} holds no PEM private key without a passphrase. Give --tls-key a file with one."
        ) from error
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Tls:
    """The certificates of a port; each new connection uses the newest that its files hold."""

    def __init__(self, files: TlsFiles, metrics: Metrics) -> None:
        """Reads the files.

        Args:
            files: the files to read, now and when they change.
            metrics: receives the end of the certificate.

        Raises:
            MalformedRequest: a file cannot be read or has the wrong content, or the key does not fit the certificate.
        """
        self._files = files
        self._metrics = metrics
        self._watcher = FileWatcher(files.certificate, files.key, *([files.client_ca] if files.client_ca else []))
        self._current = read_certificates(files)
        self._publish_end()

    def credentials(self) -> grpc.ServerCredentials:
        """Returns the credentials for a port."""
        return grpc.dynamic_ssl_server_credentials(
            _grpc_configuration(self._current),
            self._changed_configuration,  # type: ignore[arg-type] # its types leave out that None means no change
            require_client_authentication=self._files.client_ca is not None,
        )

    def _changed_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns the new certificates, or None without a change; gRPC calls it in its own thread at each handshake."""
        return _grpc_configuration(self._current) if self._reload() else None

    def _reload(self) -> bool:
        if not self._watcher.changed():
            return False
        try:
            self._current = read_certificates(self._files)
        except MalformedRequest as error:
            # Perhaps only one of two files is written yet; the change of the other one leads here again.
            _log.warning("the certificates have changed but cannot be used, so the old ones stay: %s", error)
            return False
        self._publish_end()
        return True

    def _publish_end(self) -> None:
        end = self._current.not_after
        self._metrics.certificate_expires.set(end.timestamp())
        level = logging.INFO if datetime.now(UTC) < end else logging.WARNING
        _log.log(level, "the certificate %s is valid until %s", self._files.certificate, end.isoformat())


def _grpc_configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    chains = [(certificates.key, certificates.chain)]
    return grpc.ssl_server_certificate_configuration(chains, certificates.client_ca)
