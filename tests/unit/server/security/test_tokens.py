from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from segue.core.errors import AccessError, MalformedRequest, TokenMissing, TokenScope, TokenUnknown
from segue.server.cli.main import main
from segue.server.security.tokens import SCOPES, Tokens, new_token, read_grants
from segue.v1 import catalog_service_pb2, classification_service_pb2, recommendation_service_pb2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where tokens are kept."""
    return tmp_path / "tokens.toml"


def test_scopes_open_the_services_that_there_are() -> None:
    """Each service of the contract has a scope."""
    contracts = (classification_service_pb2, recommendation_service_pb2, catalog_service_pb2)
    services = {service.full_name for part in contracts for service in part.DESCRIPTOR.services_by_name.values()}
    assert services == set(SCOPES.values())


def test_a_token_opens_its_scopes(file: Path) -> None:
    """A token passes to the services of its scopes and to reflection, and to nothing else."""
    token, grant = new_token("player", ["classify", "read"])
    file.write_text(grant.line)
    tokens = Tokens(file)
    for service in (SCOPES["classify"], SCOPES["read"], "grpc.reflection.v1alpha.ServerReflection"):
        tokens.check(token, service)
    with pytest.raises(TokenScope, match=r"player is not for this.* scope recommend"):
        tokens.check(token, SCOPES["recommend"])


@pytest.mark.parametrize(("sent", "error"), [(None, TokenMissing), ("", TokenMissing), ("segue_x", TokenUnknown)])
def test_who_has_none(file: Path, sent: str | None, error: type[AccessError]) -> None:
    """Without a token, or with one that nobody gave, nothing is open."""
    file.write_text(new_token("player", list(SCOPES))[1].line)
    with pytest.raises(error):
        Tokens(file).check(sent, SCOPES["read"])


def test_the_file_is_read_again(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token counts as soon as its line is there, until it is gone; a file that cannot be used changes nothing."""
    first, second = new_token("first", ["read"]), new_token("second", ["read"])
    file.write_text(first[1].line)
    tokens = Tokens(file)
    file.write_text(f"{first[1].line}\n{second[1].line}\n")
    tokens.check(second[0], SCOPES["read"])
    file.write_text("not TOML at all")
    with caplog.at_level(logging.WARNING):
        tokens.check(second[0], SCOPES["read"])
    assert "the old ones stay" in caplog.text
    file.write_text(first[1].line)
    with pytest.raises(TokenUnknown):
        tokens.check(second[0], SCOPES["read"])


@pytest.mark.parametrize(
    "text",
    [
        'player = "secret"',
        'player = { sha256 = "00", scopes = ["read"] }',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["write"] }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = [] }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = [["read"]] }}',
        f'player = {{ sha256 = "{"0" * 64}" }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], until = 1 }}',
    ],
)
def test_lines_that_say_something_else(file: Path, text: str) -> None:
    """A line that is not understood is named, and never taken for one that opens something."""
    file.write_text(text)
    with pytest.raises(MalformedRequest, match=f"player in {file} is not .*segue-server token new"):
        read_grants(file)


def test_a_file_that_is_nothing_but_brackets(file: Path) -> None:
    """A file that no parser can follow is no file of tokens."""
    file.write_text("player = " + 5_000 * "[")
    with pytest.raises(MalformedRequest, match="is not TOML"):
        read_grants(file)


def test_the_command_prints_a_token_and_its_line(file: Path) -> None:
    """What is printed on the standard error makes a file that knows the token on the standard output."""
    ended = CliRunner().invoke(main, ["token", "new", "--name", "player", "--scope", "read", "--scope", "classify"])
    file.write_text(ended.stderr)
    (grant,) = read_grants(file)
    assert (0, "player", {"read", "classify"}) == (ended.exit_code, grant.name, set(grant.scopes))
    assert hashlib.sha256(ended.stdout.strip().encode()).hexdigest() == grant.sha256


def test_tokens_differ() -> None:
    """No token is made twice, and the line gives none away."""
    (one, grant), (two, _) = new_token(None, ["read"]), new_token(None, ["read"])
    assert one != two
    assert one not in grant.line


def test_a_name_that_would_break_the_file() -> None:
    """A name is made of what needs no quotes."""
    ended = CliRunner().invoke(main, ["token", "new", "--name", "a = 1\nb", "--scope", "read"])
    assert 2 == ended.exit_code
