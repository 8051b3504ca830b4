from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from segue.core.settings.file import find_settings_file, read_settings


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is an empty folder, and the user's settings are in "config" below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def write(file: Path) -> Path:
    """Writes an empty file of settings."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_places(tmp_path: Path) -> None:
    """A named file comes before the one in the working directory, and that before the one in the user's folder."""
    users = write(tmp_path / "config" / "segue" / "segue.toml")
    assert users == find_settings_file()
    write(tmp_path / "segue.toml")
    assert Path("segue.toml") == find_settings_file()
    assert Path("missing.toml") == find_settings_file(Path("missing.toml"))


@pytest.mark.parametrize("variables", [{"XDG_CONFIG_HOME": "relative"}, {"XDG_CONFIG_HOME": ""}])
def test_the_folder_of_the_user(tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a valid XDG_CONFIG_HOME it is .config in the home folder."""
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    users = write(tmp_path / ".config" / "segue" / "segue.toml")
    assert users == find_settings_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the working directory that another user put there is not read unless it is named."""
    os.chown(write(tmp_path / "segue.toml"), 1234, 1234)
    assert find_settings_file() is None
    assert "segue.toml belongs to another user and is not read" in capsys.readouterr().err
    assert Path("segue.toml") == find_settings_file(Path("segue.toml"))


def test_the_client_reads_only_its_section(tmp_path: Path) -> None:
    """The settings at the top are those of server and indexer, which may have the same names."""
    file = tmp_path / "segue.toml"
    file.write_text('tls-key = "server.key"\nlisten = "[::]:1"\n[client]\ntoken = "t"\n[server]\nworkers = 1\n')
    assert {"token": "t"} == read_settings(file, "client", {"tls-key": False, "token": False})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[client]\ntokens = 't'", "has an unknown name in its section client, tokens. Did you mean token?"),
        ("[clinet]\ntoken = 't'", "has an unknown section, clinet. Did you mean client?"),
        ("[client]\ntls = 'yes'", "tls in .* is str 'yes'; use true or false"),
    ],
)
def test_errors_of_the_client(tmp_path: Path, text: str, message: str) -> None:
    """An unknown name of the client, and an unknown section, are refused with the nearest known one."""
    file = tmp_path / "segue.toml"
    file.write_text(text)
    with pytest.raises(click.UsageError, match=message):
        read_settings(file, "client", {"token": False, "tls": True})
