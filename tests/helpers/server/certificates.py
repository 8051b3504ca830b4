"""Certificates as files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import trustme


class CertificateFiles(NamedTuple):
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def issue(
    folder: Path, name: str, *identities: str, ca: trustme.CA | None = None, end: datetime | None = None
) -> CertificateFiles:
    """Writes a certificate for some hosts or addresses, of a CA or of a new one, and its key."""
    issued = (ca or trustme.CA()).issue_cert(*identities, not_after=end)
    files = CertificateFiles(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())
    return files
