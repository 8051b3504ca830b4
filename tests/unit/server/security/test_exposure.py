from __future__ import annotations

import pytest

from segue.core.errors import MalformedRequest
from segue.server.security.exposure import exposure_warnings, is_local
from segue.server.security.tls import tls_files
from tests.helpers.server.settings import parsed_settings


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/run/segue.sock", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.0.2.1:1", False),
        ("music.example:1", False),
    ],
)
def test_local_addresses(listen: str, local: bool) -> None:
    """Only loopback addresses and Unix sockets are local."""
    assert local == is_local(listen)


EVERYWHERE = ("--listen", "0.0.0.0:1")
TLS = ("--tls-certificate", "c", "--tls-key", "k")
TOKENS = ("--tokens", "t")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), []),
        (EVERYWHERE, ["can read music.", "requires no token"]),
        ((*EVERYWHERE, *TOKENS), ["can read music and tokens."]),
        ((*EVERYWHERE, *TLS), ["requires no token"]),
        ((*EVERYWHERE, *TLS, *TOKENS), []),
        ((*EVERYWHERE, *TLS, "--tls-client-ca", "ca"), []),
    ],
)
def test_warnings_about_an_open_port(arguments: tuple[str, ...], expected: list[str]) -> None:
    """A port that other machines reach is warned of without TLS and without tokens; a local one is not."""
    warnings = exposure_warnings(parsed_settings(*arguments))
    assert len(expected) == len(warnings)
    assert [] == [words for words, warning in zip(expected, warnings, strict=True) if words not in warning]


@pytest.mark.parametrize(
    ("given", "missing"),
    [("--tls-certificate", "--tls-key"), ("--tls-key", "--tls-certificate"), ("--tls-client-ca", "--tls-certificate")],
)
def test_one_of_two(given: str, missing: str) -> None:
    """A certificate without a key, and a key or client roots without a certificate, are refused."""
    with pytest.raises(MalformedRequest, match=f"Give {missing} too"):
        tls_files(parsed_settings(given, "file.pem"))
