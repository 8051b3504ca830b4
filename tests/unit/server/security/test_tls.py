from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segue.core.errors import MalformedRequest
from segue.server.observability.metrics import Metrics
from segue.server.security.tls import Tls, TlsFiles, read_certificates, watch_balancer
from tests.helpers.server.certificates import issue


def write_files(folder: Path, end: datetime | None = None) -> TlsFiles:
    """Writes a certificate and its key."""
    return TlsFiles(*issue(folder, "server", "localhost", "127.0.0.1", end=end))


def expires(metrics: Metrics) -> float | None:
    """The end of the certificate in the metrics."""
    return metrics.registry.get_sample_value("segue_certificate_expires_seconds")


def test_files_that_fit(tmp_path: Path) -> None:
    """A certificate with its key is read together with its end."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    assert end == read_certificates(write_files(tmp_path, end)).not_after


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    """The error for a key that does not fit names both files."""
    (tmp_path / "other").mkdir()
    files = TlsFiles(write_files(tmp_path).certificate, write_files(tmp_path / "other").key)
    with pytest.raises(MalformedRequest, match=f"{files.key} is not the key of {files.certificate}"):
        read_certificates(files)


@pytest.mark.parametrize(
    ("role", "message"),
    [("certificate", "no PEM certificate"), ("key", "no PEM private key"), ("client_ca", "no PEM certificate")],
)
@pytest.mark.parametrize("exists", [True, False])
def test_an_unusable_file(tmp_path: Path, role: str, message: str, exists: bool) -> None:
    """The error for a missing file, or one with other content, names the file and its option."""
    wrong = tmp_path / "wrong"
    if exists:
        wrong.write_bytes(b"-----BEGIN NOTHING-----")
    files = TlsFiles(**{**vars(write_files(tmp_path)), role: wrong})
    with pytest.raises(MalformedRequest, match=message if exists else "cannot be read") as error:
        read_certificates(files)
    assert str(wrong) in str(error.value)
    assert f"--tls-{role.replace('_', '-')}" in str(error.value)


def test_an_expired_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An expired certificate is used, since clients refuse it themselves; the log warns, and the metric has its end."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    metrics = Metrics()
    with caplog.at_level(logging.WARNING):
        Tls(write_files(tmp_path, end), metrics)
    assert f"valid until {end.isoformat()}" in caplog.text
    assert end.timestamp() == expires(metrics)


def test_the_certificate_of_a_balancer(tmp_path: Path) -> None:
    """The metric follows the file of the balancer, and keeps its last value while the file cannot be read."""
    first, second = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (2, 300))
    metrics, path = Metrics(), write_files(tmp_path, first).certificate
    watch_balancer(path, metrics)
    seen = [expires(metrics)]
    for change in (lambda: write_files(tmp_path, second), lambda: path.write_text("nothing"), path.unlink):
        change()
        seen.append(expires(metrics))
    assert [first.timestamp(), second.timestamp(), second.timestamp(), second.timestamp()] == seen


def test_a_missing_certificate_of_a_balancer(tmp_path: Path) -> None:
    """The error for a missing file names its option."""
    with pytest.raises(MalformedRequest, match=r"cannot be read.*--balancer-certificate"):
        watch_balancer(tmp_path / "none.pem", Metrics())
