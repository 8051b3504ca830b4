from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from segue.core.errors import MalformedRequest
from segue.server.observability.metrics import Metrics
from segue.server.security.tls import Tls, TlsFiles, read_certificates, watch_balancer

CA = trustme.CA()


def written(folder: Path, ends: datetime | None = None) -> TlsFiles:
    """A certificate and its key as files."""
    made = CA.issue_cert("localhost", "127.0.0.1", not_after=ends)
    files = TlsFiles(folder / "server.pem", folder / "server.key")
    files.certificate.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    files.key.write_bytes(made.private_key_pem.bytes())
    return files


def test_files_that_fit(tmp_path: Path) -> None:
    """A certificate with its key is read, and when it ends is known."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    assert ends == read_certificates(written(tmp_path, ends)).not_after


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    """A key that belongs elsewhere is named with its certificate."""
    (tmp_path / "other").mkdir()
    files = TlsFiles(written(tmp_path).certificate, written(tmp_path / "other").key)
    with pytest.raises(MalformedRequest, match=f"{files.key} is not the key of {files.certificate}"):
        read_certificates(files)


@pytest.mark.parametrize(
    ("role", "said"),
    [("certificate", "no PEM certificate"), ("key", "no PEM private key"), ("client_ca", "no PEM certificate")],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_is_none(tmp_path: Path, role: str, said: str, there: bool) -> None:
    """A file that is missing, or is something else, is named with its option."""
    wrong = tmp_path / "wrong"
    if there:
        wrong.write_bytes(b"-----BEGIN NOTHING-----")
    files = TlsFiles(**{**vars(written(tmp_path)), role: wrong})
    with pytest.raises(MalformedRequest, match=said if there else "cannot be read") as error:
        read_certificates(files)
    assert str(wrong) in str(error.value)
    assert f"--tls-{role.replace('_', '-')}" in str(error.value)


def test_an_old_certificate_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A certificate that has ended is used, since clients say so best, and warned of; Prometheus sees when it ended."""
    ends = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    metrics = Metrics()
    with caplog.at_level(logging.WARNING):
        Tls(written(tmp_path, ends), metrics)
    assert f"valid until {ends.isoformat()}" in caplog.text
    assert ends.timestamp() == metrics.registry.get_sample_value("segue_certificate_expires_seconds")


def test_the_certificate_of_a_balancer(tmp_path: Path) -> None:
    """Prometheus sees when it ends, and when a new one does; what cannot be read changes nothing."""
    first, second = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (2, 300))
    metrics, path = Metrics(), written(tmp_path, first).certificate
    watch_balancer(path, metrics)
    seen = [metrics.registry.get_sample_value("segue_certificate_expires_seconds")]
    for change in (lambda: written(tmp_path, second), lambda: path.write_text("nothing"), path.unlink):
        change()
        seen.append(metrics.registry.get_sample_value("segue_certificate_expires_seconds"))
    assert [first.timestamp(), second.timestamp(), second.timestamp(), second.timestamp()] == seen


def test_a_balancer_without_a_certificate(tmp_path: Path) -> None:
    """A file that is not there is named with its option."""
    with pytest.raises(MalformedRequest, match=r"cannot be read.*--balancer-certificate"):
        watch_balancer(tmp_path / "none.pem", Metrics())
