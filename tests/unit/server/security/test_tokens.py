from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from segue.core.errors import AccessError, MalformedRequest, TokenMissing, TokenScope, TokenUnknown
from segue.server.callers.quota import Quotas
from segue.server.cli.main import main
from segue.server.security.tokens import SCOPES, Tokens, new_token, read_grants
from segue.v1 import catalog_service_pb2, classification_service_pb2, feedback_service_pb2, recommendation_service_pb2

CATALOG = "segue.v1.CatalogService"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a token file."""
    return tmp_path / "tokens.toml"


def test_every_service_has_a_scope() -> None:
    """Each service of the contract has a scope, three methods have one of their own, and nothing else has one."""
    contracts = (classification_service_pb2, recommendation_service_pb2, catalog_service_pb2, feedback_service_pb2)
    services = {service.full_name for part in contracts for service in part.DESCRIPTOR.services_by_name.values()}
    writing = {f"segue.v1.CatalogService/{method}" for method in ("UpsertTracks", "UpdateTrack", "DeleteTracks")}
    assert services | writing == set.union(*SCOPES.values())


def test_a_token_permits_its_scopes(file: Path) -> None:
    """A token permits the services of its scopes and reflection, and nothing else."""
    token, grant = new_token("player", ["classify", "read"])
    file.write_text(grant.line)
    tokens = Tokens(file)
    for service in (*SCOPES["classify"], *SCOPES["read"], "grpc.reflection.v1alpha.ServerReflection"):
        tokens.caller(token, service)
    for service in ("segue.v1.RecommendationService", "segue.v1.PlaylistService"):
        with pytest.raises(TokenScope, match="Token player lacks the scope recommend"):
            tokens.caller(token, service)


@pytest.mark.parametrize(("sent", "error"), [(None, TokenMissing), ("", TokenMissing), ("segue_x", TokenUnknown)])
def test_a_missing_or_unknown_token(file: Path, sent: str | None, error: type[AccessError]) -> None:
    """A missing token and an unknown one permit nothing."""
    file.write_text(new_token("player", list(SCOPES))[1].line)
    with pytest.raises(error):
        Tokens(file).caller(sent, CATALOG)


def test_the_file_is_reloaded(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token is valid while its line is in the file; a file that cannot be used changes nothing."""
    first, second = new_token("first", ["read"]), new_token("second", ["read"])
    file.write_text(first[1].line)
    tokens = Tokens(file)
    file.write_text(f"{first[1].line}\n{second[1].line}\n")
    tokens.caller(second[0], CATALOG)
    file.write_text("not TOML at all")
    with caplog.at_level(logging.WARNING):
        tokens.caller(second[0], CATALOG)
    assert "the old ones stay" in caplog.text
    file.write_text(first[1].line)
    with pytest.raises(TokenUnknown):
        tokens.caller(second[0], CATALOG)


@pytest.mark.parametrize(
    "text",
    [
        'player = "secret"',
        'player = { sha256 = "00", scopes = ["read"] }',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["admin"] }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = [] }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = [["read"]] }}',
        f'player = {{ sha256 = "{"0" * 64}" }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], until = 1 }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], rate = 0 }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], rate = "5" }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], rate = inf }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], rate = nan }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], concurrency = 1.5 }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], concurrency = true }}',
        f'player = {{ sha256 = "{"0" * 64}", scopes = ["read"], seconds_of_audio = -1 }}',
    ],
)
def test_malformed_lines(file: Path, text: str) -> None:
    """The error for a malformed line names it, and the line permits nothing."""
    file.write_text(text)
    with pytest.raises(MalformedRequest, match=f"player in {file} is not .*segue-server token new"):
        read_grants(file)


def test_quotas(file: Path) -> None:
    """A line may have quotas, which the command writes as well."""
    quotas = ["--rate", "0.5", "--concurrency", "2000000", "--seconds-of-audio", "3600"]
    ended = CliRunner().invoke(main, ["token", "new", "--name", "player", "--scope", "read", *quotas])
    file.write_text(ended.stderr)
    caller = Tokens(file).caller(ended.stdout.strip(), CATALOG)
    assert ("player", Quotas(0.5, 2_000_000, 3600.0)) == (caller.name, caller.meter.quotas)


@pytest.mark.parametrize("quota", ["--rate", "--concurrency", "--seconds-of-audio"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many"])
def test_the_command_refuses_a_quota(quota: str, value: str) -> None:
    """The command refuses a quota that would not be valid in the file."""
    assert 2 == CliRunner().invoke(main, ["token", "new", "--scope", "read", quota, value]).exit_code


def test_quotas_outlast_a_reload(file: Path) -> None:
    """The use of a quota is remembered when the file changes, unless the quotas of the token change."""
    (token, grant), (_, other) = new_token("player", ["read"], Quotas(rate=0.1)), new_token("other", ["read"])
    file.write_text(grant.line)
    tokens = Tokens(file)
    meter = tokens.caller(token, CATALOG).meter
    file.write_text(f"{other.line}\n{grant.line}")
    assert meter is tokens.caller(token, CATALOG).meter
    file.write_text(replace(grant, quotas=Quotas(rate=0.2)).line)
    assert Quotas(rate=0.2) == tokens.caller(token, CATALOG).meter.quotas


def test_deeply_nested_brackets(file: Path) -> None:
    """A file that is too deeply nested for the parser is reported as no TOML."""
    file.write_text("player = " + 5_000 * "[")
    with pytest.raises(MalformedRequest, match="is not TOML"):
        read_grants(file)


def test_the_command_prints_a_token_and_its_line(file: Path) -> None:
    """The standard error of the command is a token file for the token on the standard output."""
    ended = CliRunner().invoke(main, ["token", "new", "--name", "player", "--scope", "read", "--scope", "classify"])
    file.write_text(ended.stderr)
    (grant,) = read_grants(file)
    assert (0, "player", {"read", "classify"}) == (ended.exit_code, grant.name, set(grant.scopes))
    assert hashlib.sha256(ended.stdout.strip().encode()).hexdigest() == grant.sha256


def test_tokens_differ() -> None:
    """Two tokens are never equal, and a line does not contain its token."""
    (first, grant), (second, _) = new_token(None, ["read"]), new_token(None, ["read"])
    assert first != second
    assert first not in grant.line


def test_a_name_that_needs_quotes() -> None:
    """A name with other characters than letters, digits, - and _ is refused."""
    ended = CliRunner().invoke(main, ["token", "new", "--name", "a = 1\nb", "--scope", "read"])
    assert 2 == ended.exit_code
