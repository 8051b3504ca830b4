from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from segue.core.errors import MalformedRequest
from segue.server.cli.options import server_options
from segue.server.security.exposure import exposure_warnings, is_local
from segue.server.security.tls import tls_files
from segue.server.settings import Settings


def options(*arguments: str) -> Settings:
    """What the server would be told."""
    made: list[Settings] = []

    @click.command()
    @server_options
    def keep(**values: object) -> None:
        made.append(Settings(**values))  # type: ignore[arg-type] # it takes all of them, and no other

    ended = CliRunner().invoke(keep, arguments)
    assert 0 == ended.exit_code, ended.output
    return made[0]


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
def test_who_can_reach_it(listen: str, local: bool) -> None:
    """Only loopback and sockets are of this machine alone."""
    assert local == is_local(listen)


EVERYWHERE = ("--listen", "0.0.0.0:1")
TLS = ("--tls-certificate", "c", "--tls-key", "k")
TOKENS = ("--tokens", "t")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), []),
        (EVERYWHERE, ["reads music.", "asks for no token"]),
        ((*EVERYWHERE, *TOKENS), ["reads music and tokens."]),
        ((*EVERYWHERE, *TLS), ["asks for no token"]),
        ((*EVERYWHERE, *TLS, *TOKENS), []),
        ((*EVERYWHERE, *TLS, "--tls-client-ca", "ca"), []),
    ],
)
def test_an_open_door_is_told(arguments: tuple[str, ...], said: list[str]) -> None:
    """Where others reach the server, missing TLS and missing tokens are warned of; on this machine they are not."""
    found = exposure_warnings(options(*arguments))
    assert len(said) == len(found)
    assert [] == [words for words, warning in zip(said, found, strict=True) if words not in warning]


@pytest.mark.parametrize(
    ("given", "missing"),
    [("--tls-certificate", "--tls-key"), ("--tls-key", "--tls-certificate"), ("--tls-client-ca", "--tls-certificate")],
)
def test_one_of_two(given: str, missing: str) -> None:
    """A certificate without its key, a key or roots without a certificate, are refused with what is missing."""
    with pytest.raises(MalformedRequest, match=f"Give {missing} too"):
        tls_files(options(given, "file.pem"))
