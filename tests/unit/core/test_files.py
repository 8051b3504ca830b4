from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.files import atomic_write, rename_synced, sha256_of, sync

# Writes half of a new file, and is killed before the other half.
_KILLED = """
import os, signal, sys
from pathlib import Path
from segue.core.files import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _write_and_fail(path: Path) -> None:
    with atomic_write(path) as file:
        file.write(b"half")
        raise ValueError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The old content is replaced at the end of the block, and no other file is left in the folder."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert b"old" == path.read_bytes()
    assert b"new" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The old file stays, and the unfinished one is removed."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=r"^$"):
        _write_and_fail(path)
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_killed_writer_changes_nothing(tmp_path: Path) -> None:
    """The old file stays if the process is killed in the middle."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    writer = subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
    assert -signal.SIGKILL == writer.returncode
    assert b"old" == path.read_bytes()


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    """A file has the permissions that the umask allows, unless the caller asks for fewer."""
    previous = os.umask(0o022)
    try:
        for name, mode in (("open", 0o666), ("private", 0o600)):
            with atomic_write(tmp_path / name, mode=mode):
                pass
    finally:
        os.umask(previous)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {"open": 0o644, "private": 0o600} == modes


def test_a_finished_folder_is_renamed(tmp_path: Path) -> None:
    """All files of a finished folder are synced, and then it gets its name."""
    unfinished = tmp_path / "unfinished"
    (unfinished / "deep").mkdir(parents=True)
    (unfinished / "deep" / "file").write_bytes(b"content")
    rename_synced(unfinished, tmp_path / "folder")
    assert b"content" == (tmp_path / "folder" / "deep" / "file").read_bytes()
    assert not unfinished.exists()


def test_missing_paths(tmp_path: Path) -> None:
    """A missing path cannot be synced, and no file can be written in a missing folder."""
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "missing")
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "missing" / "file"):
        pass


@pytest.mark.parametrize("start", [0, 5, 3 * 2**20])
def test_a_digest_from_a_position_on(tmp_path: Path, start: int) -> None:
    """The digest is that of the bytes from a position on, also in a file of several blocks."""
    content = os.urandom(3 * 2**20 + 7)
    path = tmp_path / "file"
    path.write_bytes(content)
    assert hashlib.sha256(content[start:]).hexdigest() == sha256_of(path, start)


def test_a_long_name(tmp_path: Path) -> None:
    """A name of 250 bytes, which leaves no room for a suffix, can be written."""
    path = tmp_path / ("n" * 250)
    with atomic_write(path) as file:
        file.write(b"new")
    assert b"new" == path.read_bytes()


def test_a_link_keeps_its_target(tmp_path: Path) -> None:
    """The file behind a link is replaced, not the link."""
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    for content in (b"new", b"newer"):
        with atomic_write(link) as file:
            file.write(content)
        assert (True, content) == (link.is_symlink(), target.read_bytes())


def test_an_error_names_the_file(tmp_path: Path) -> None:
    """The error of a folder that is missing names the file of the caller."""
    with pytest.raises(FileNotFoundError) as raised, atomic_write(tmp_path / "missing" / "file"):
        pass
    assert str(tmp_path / "missing" / "file") == raised.value.filename


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder that may be written but not read cannot be synced, and the file is there all the same."""
    tmp_path.chmod(0o333)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"new")
    finally:
        tmp_path.chmod(0o755)
    assert b"new" == (tmp_path / "file").read_bytes()
