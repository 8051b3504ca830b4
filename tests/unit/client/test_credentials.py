from __future__ import annotations

from pathlib import Path

import pytest

from segue.client import Client, Credentials


@pytest.mark.parametrize("address", ["music.example:443", "192.0.2.1:50051", "0.0.0.0:50051"])
def test_a_token_in_plain_text(address: str) -> None:
    """A token is not sent where others could read it on the way."""
    with pytest.raises(ValueError, match=f"would go to {address} in plain text: use TLS"):
        Client(address, credentials=Credentials(token="secret"))  # noqa: S106 - of nobody


@pytest.mark.parametrize("address", ["127.0.0.1:50051", "[::1]:50051", "localhost:50051", "unix:/run/segue.sock"])
def test_a_token_on_this_machine(address: str) -> None:
    """To this machine it may go in plain text, and over TLS anywhere."""
    metadata = (("authorization", "Bearer secret"),)
    assert metadata == Credentials(token="secret").for_calls(address)  # noqa: S106 - of nobody
    assert metadata == Credentials(tls=True, token="secret").for_calls("music.example:443")  # noqa: S106 - likewise


def test_files_mean_tls() -> None:
    """Whoever names roots or a certificate wants TLS."""
    assert Credentials(ca="ca.pem").tls
    assert Credentials(certificate="own.pem", key="own.key").tls
    assert not Credentials().tls


def test_a_certificate_without_its_key() -> None:
    """Half of what proves who one is proves nothing."""
    with pytest.raises(ValueError, match="a certificate needs its key"):
        Credentials(certificate="own.pem")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is named when the client is made."""
    with pytest.raises(ValueError, match=f"{tmp_path / 'ca.pem'} cannot be read"):
        Client(credentials=Credentials(ca=tmp_path / "ca.pem"))


def test_a_token_is_not_shown() -> None:
    """What prints the credentials gives no token away."""
    assert "secret" not in repr(Credentials(token="secret"))  # noqa: S106 - of nobody
