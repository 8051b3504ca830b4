"""Locks against real processes: one alone or several together, released when the last holder ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.file_lock import FileLock
from tests.helpers.machine.waiting import PATIENCE_SECONDS

# Takes the lock and holds it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from segue.core.file_lock import FileLock
with FileLock(Path(sys.argv[1])) as lock:
    lock.share() if sys.argv[2] == "shared" else lock.try_exclusive()
    print("locked", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """While entered, another process holds the lock, "shared" or "exclusive"."""
    command = [sys.executable, "-c", HOLDER, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "locked\n" == process.stdout.readline()
        try:
            yield process
        finally:
            process.communicate("\n", timeout=PATIENCE_SECONDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a lock file that does not exist yet."""
    return tmp_path / "file.lock"


def test_a_free_lock_is_taken(path: Path) -> None:
    """The file is created, readable by its owner only, and nothing is written to it."""
    with FileLock(path) as lock:
        assert lock.try_exclusive()
    assert (0, 0o600) == (path.stat().st_size, path.stat().st_mode & 0o777)


@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_a_lock_that_another_process_holds_is_not_taken(path: Path, how: str) -> None:
    """One process cannot have the lock alone while another holds it, and has it once the other has ended."""
    with FileLock(path) as lock:
        with held_elsewhere(path, how):
            assert not lock.try_exclusive()
            assert not lock.try_exclusive(seconds=0.05)
        assert lock.try_exclusive()


def test_a_shared_lock_has_several_holders(path: Path) -> None:
    """Processes share a lock, and only the last of them can have it alone."""
    with FileLock(path) as lock:
        with held_elsewhere(path, "shared"):
            lock.share()
            assert not lock.try_exclusive()
        assert lock.try_exclusive()


def test_a_killed_holder_releases_the_lock(path: Path) -> None:
    """The system releases the lock of a process that had no chance to do so."""
    with FileLock(path) as lock, held_elsewhere(path, "exclusive") as holder:
        holder.send_signal(signal.SIGKILL)
        assert lock.try_exclusive(seconds=PATIENCE_SECONDS)


def test_a_child_that_inherits_the_lock_keeps_it(path: Path) -> None:
    """The lock outlives its first holder as long as a child process has the file open."""
    read, write = os.pipe()
    lock = FileLock(path)
    assert lock.try_exclusive()
    child = subprocess.Popen(["/bin/cat"], stdin=read, pass_fds=lock.descriptors)
    lock.close()
    os.close(read)
    with FileLock(path) as other:
        assert not other.try_exclusive()
        os.close(write)
        assert 0 == child.wait(PATIENCE_SECONDS)
        assert other.try_exclusive()


def test_a_lock_is_waited_for(path: Path) -> None:
    """A caller that gives it time gets the lock as soon as the holder releases it."""
    taken: list[bool] = []
    with FileLock(path) as lock:
        with held_elsewhere(path, "exclusive"):
            waiting = threading.Thread(target=lambda: taken.append(lock.try_exclusive(PATIENCE_SECONDS)))
            waiting.start()
            assert [] == taken
        waiting.join(PATIENCE_SECONDS)
    assert [True] == taken


def test_a_folder_that_is_missing(path: Path) -> None:
    """A lock file is created, but not the folder that holds it."""
    with pytest.raises(FileNotFoundError):
        FileLock(path.parent / "missing" / "file.lock")


def test_several_files_and_folders(path: Path) -> None:
    """A lock on a file and its folder is taken as a whole: while another process holds one of them, none is taken."""
    with FileLock(path, path.parent) as lock, FileLock(path) as file:
        with held_elsewhere(path.parent, "exclusive"):
            assert not lock.try_exclusive()
            assert file.try_exclusive()
            file.share()
        assert not lock.try_exclusive()
    with FileLock(path, path.parent) as lock:
        assert lock.try_exclusive()
