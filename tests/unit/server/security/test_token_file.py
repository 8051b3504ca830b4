from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.server.cli.main import main
from segue.server.security.token_file import add_grant
from segue.server.security.tokens import new_token, read_grants

HASH = "0" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a token file."""
    return tmp_path / "tokens.toml"


def add(file: Path, name: str = "player") -> Result:
    """Adds a token to a file by the command."""
    return CliRunner().invoke(main, ["token", "new", "--tokens", str(file), "--name", name, "--scope", "read"])


def names(file: Path) -> set[str]:
    """The names of the tokens in a file."""
    return {grant.name for grant in read_grants(file)}


def test_a_new_file(file: Path) -> None:
    """The token alone is printed; the file has its hash, and only its owner can read it."""
    ended = add(file)
    (grant,) = read_grants(file)
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert hashlib.sha256(ended.stdout.strip().encode()).hexdigest() == grant.sha256
    assert 0o600 == file.stat().st_mode & 0o777
    assert [file] == list(file.parent.iterdir())


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_the_rest_of_the_file_stays(file: Path, end: str) -> None:
    """Comments, order, line ends and permissions of the file are kept, also without a last line end."""
    text = f"# Made by hand\r\n{new_token('first', ['read'])[1].line}  # for the player{end}"
    file.write_bytes(text.encode())
    file.chmod(0o640)
    assert 0 == add(file).exit_code
    assert file.read_bytes().startswith(text.encode())
    assert (0o640, {"first", "player"}) == (file.stat().st_mode & 0o777, names(file))


def test_a_file_that_ends_in_a_table(file: Path) -> None:
    """The new line does not become a part of a token that is written as a table."""
    file.write_text(f'[first]\nsha256 = "{HASH}"\nscopes = ["read"]\n')
    assert 0 == add(file).exit_code
    assert {"first", "player"} == names(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_the_owner_stays(file: Path) -> None:
    """A file that root changes still belongs to the user of the server."""
    file.touch()
    os.chown(file, 1234, 1235)
    assert 0 == add(file).exit_code
    assert (1234, 1235) == (file.stat().st_uid, file.stat().st_gid)


def test_a_link(file: Path) -> None:
    """Of a link, the target is changed."""
    link = file.with_name("link")
    link.symlink_to(file)
    assert 0 == add(link).exit_code
    assert link.is_symlink()
    assert {"player"} == names(file)


def test_a_name_that_is_there(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A second token of the same name is refused, and the file stays as it is."""
    add(file)
    before = file.read_bytes()
    ended = add(file)
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert f"{file} has a token named player already." in caplog.text
    assert before == file.read_bytes()


def test_a_damaged_file(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is not TOML is refused and stays as it is."""
    file.write_text("player = ")
    ended = add(file)
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert f"{file} is not TOML" in caplog.text
    assert "player = " == file.read_text()


def test_a_missing_folder(tmp_path: Path) -> None:
    """A file that cannot be written is named in a sentence, and no token is printed."""
    ended = add(tmp_path / "none" / "tokens.toml")
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert "tokens.toml cannot be changed: No such file or directory." in ended.stderr


def test_many_at_once(file: Path) -> None:
    """Of many that add tokens at the same time, none loses the token of another."""
    barrier = threading.Barrier(16)

    def add_one(number: int) -> None:
        barrier.wait()
        add_grant(file, new_token(f"p{number}", ["read"])[1])

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(add_one, range(16)))
    assert {f"p{number}" for number in range(16)} == names(file)
