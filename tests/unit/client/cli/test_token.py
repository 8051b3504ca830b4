"""The access token of `segue`: where it may come from, and what other users of the machine can see of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.client.cli import options
from segue.client.cli.main import main
from segue.client.credentials import Credentials

OPTION = ("--token", "from-option")
IN_ENVIRONMENT = {"SEGUE_TOKEN": "secret"}


class Called(Exception):
    """Ends a command at its first call."""


class FakeClient:
    """Keeps the token of the last client that was made."""

    token: str | None = None

    def __init__(self, _address: str, *, credentials: Credentials, **_others: object) -> None:
        FakeClient.token = credentials.token
        raise Called


@pytest.fixture(autouse=True)
def fake_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the client by one that calls no server."""
    FakeClient.token = None
    monkeypatch.setattr(options, "Client", FakeClient)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with a token, as `segue-server token new` writes it."""
    path = tmp_path / "player.token"
    path.write_text("from-file\n")
    return str(path)


def status(*arguments: str, **env: str | None) -> Result:
    """Runs `segue status` until its first call."""
    return CliRunner(env={"SEGUE_TOKEN": None, "SEGUE_TOKEN_FILE": None, **env}).invoke(main, ["status", *arguments])


@pytest.mark.parametrize("before", [True, False])
def test_a_token_on_the_command_line(before: bool) -> None:
    """It is used, and a warning names the safer places without the token."""
    arguments = [*OPTION, "status"] if before else ["status", *OPTION]
    ended = CliRunner().invoke(main, arguments)
    assert "from-option" == FakeClient.token
    assert 1 == ended.stderr.count("other users of this machine can see the token")
    assert "--token-file" in ended.stderr
    assert "from-option" not in ended.stderr


def test_a_token_in_the_environment(file: str) -> None:
    """Neither the token nor its file causes a warning in the environment."""
    assert ("", "secret") == (status(**IN_ENVIRONMENT).stderr, FakeClient.token)
    assert ("", "from-file") == (status(SEGUE_TOKEN_FILE=file).stderr, FakeClient.token)


def test_a_file_on_the_command_line(file: str) -> None:
    """The file takes precedence over the environment, without a warning."""
    assert ("", "from-file") == (status("--token-file", file, **IN_ENVIRONMENT).stderr, FakeClient.token)


def test_the_stronger_source(file: str, tmp_path: Path) -> None:
    """The command line overrides the environment, and the environment the file of settings."""
    status(*OPTION, SEGUE_TOKEN_FILE=file)
    assert "from-option" == FakeClient.token
    (tmp_path / "segue.toml").write_text(f'[client]\ntoken-file = "{file}"\n')
    settings = ("--config", str(tmp_path / "segue.toml"))
    assert ("", "from-file") == (status(*settings).stderr, FakeClient.token)
    assert ("", "secret") == (status(*settings, **IN_ENVIRONMENT).stderr, FakeClient.token)


def test_both_from_one_source(file: str) -> None:
    """A token and a file of a token from the same source are refused."""
    for ended in (status(*OPTION, "--token-file", file), status(**IN_ENVIRONMENT, SEGUE_TOKEN_FILE=file)):
        assert (2, None) == (ended.exit_code, FakeClient.token)
        assert "either a token or a file" in ended.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), (b"", "one line"), (b"a b", "one line"), (b"\xff", "text")],
)
def test_a_file_without_a_token(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A file that is missing, empty, or has anything else is refused by its name."""
    path = tmp_path / "player.token"
    if content is not None:
        path.write_bytes(content)
    ended = status("--token-file", str(path))
    assert (2, None) == (ended.exit_code, FakeClient.token)
    assert f"{path}" in ended.stderr
    assert problem in ended.stderr
