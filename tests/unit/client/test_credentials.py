from __future__ import annotations

from pathlib import Path

import pytest

from segue.client import Client, Credentials


@pytest.mark.parametrize("address", ["music.example:443", "192.0.2.1:50051", "0.0.0.0:50051"])
def test_token_in_plain_text(address: str) -> None:
    """A token is not sent to another machine in plain text."""
    with pytest.raises(ValueError, match=f"would go to {address} in plain text: use TLS"):
        Client(address, credentials=Credentials(token="secret"))  # noqa: S106 - not a real token


@pytest.mark.parametrize("address", ["127.0.0.1:50051", "[::1]:50051", "localhost:50051", "unix:/run/segue.sock"])
def test_token_on_this_machine(address: str) -> None:
    """A token is sent to this machine in plain text, and over TLS to any machine."""
    metadata = (("authorization", "Bearer secret"),)
    assert metadata == Credentials(token="secret").for_calls(address)  # noqa: S106 - not a real token
    assert metadata == Credentials(tls=True, token="secret").for_calls("music.example:443")  # noqa: S106 - not a real token


def test_files_imply_tls() -> None:
    """Roots or a certificate imply TLS."""
    assert Credentials(ca="ca.pem").tls
    assert Credentials(certificate="own.pem", key="own.key").tls
    assert not Credentials().tls


def test_certificate_without_key() -> None:
    """A certificate without its key is refused."""
    with pytest.raises(ValueError, match="a certificate needs its key"):
        Credentials(certificate="own.pem")


def test_missing_file(tmp_path: Path) -> None:
    """A file that cannot be read is named when the client is created."""
    with pytest.raises(ValueError, match=f"{tmp_path / 'ca.pem'} cannot be read"):
        Client(credentials=Credentials(ca=tmp_path / "ca.pem"))


def test_token_is_not_printed() -> None:
    """The repr of credentials does not contain the token."""
    assert "secret" not in repr(Credentials(token="secret"))  # noqa: S106 - not a real token
