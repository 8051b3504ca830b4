"""The machine fails around the indexer: Redis dies, Redis is replaced by an older backup, the disk is full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import list_snapshots, newest_revision
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import addition
from tests.helpers.indexer import Indexer, run, write_library
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until


def tracks(data: Path) -> list[str]:
    """Returns the ids of all tracks."""
    with open_store(data) as store:
        return list(all_track_ids(store))


@contextmanager
def redis_killed_at(data: Path, tracks: int, gate: Path) -> Iterator[None]:
    """Kills the private Redis during the block, once the catalogue has so many tracks, and then opens the gate."""

    def kill() -> None:
        with open_store(data) as store:
            wait_until(lambda: store.count() >= tracks)
            os.kill(int((data / "redis" / "redis.pid").read_text(encoding="ascii")), signal.SIGKILL)
        gate.write_bytes(b"")

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe that a substitute for ffmpeg reads, so that decoding waits until the test writes to it."""
    gate, programs = tmp_path / "gate", tmp_path / "bin"
    os.mkfifo(gate)
    programs.mkdir()
    (programs / "ffmpeg").write_text(f"#!/bin/sh\nread -r line < '{gate}'\nexit 1\n", encoding="utf-8")
    (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return gate


def test_redis_dies_in_the_middle(indexer: Indexer, tmp_path: Path, gate: Path) -> None:
    """The run ends with an error; the next one starts Redis again and indexes the files that were not committed."""
    library = write_library(tmp_path / "music", 64, seconds=3.0)
    # After the first batch, and before the end of the second.
    waiting = library / "0023 waiting.m4a"
    waiting.write_bytes(bytes([0, 0, 0, 32]) + b"ftypM4A " + bytes(1000))
    with redis_killed_at(indexer.data, 16, gate):
        failed = indexer.add(library, "--jobs", "1")
    assert (1, True) == (failed.returncode, "\nsegue-indexer: " in f"\n{failed.stderr}")
    assert "Traceback" not in failed.stderr
    assert 16 == len(tracks(indexer.data))

    waiting.unlink()
    last = run("add", library, "--data", indexer.data, "--model", indexer.model)
    assert "48 added, 16 unchanged, 0 failed" in last.stdout
    assert 0 == run("verify", "--data", indexer.data).exit_code


def test_redis_is_replaced_by_an_older_backup_of_itself(tmp_path: Path, tiny_model: Path) -> None:
    """The lost files are indexed again, and the index of the lost revisions is removed."""
    data, old, new = tmp_path / "data", tmp_path / "old", tmp_path / "new"
    everything = ("add", old, new, "--data", data, "--model", tiny_model)
    write_library(old, 20, seconds=3.0)
    write_library(new, 40, seconds=3.0)
    run("add", old, "--data", data, "--model", tiny_model)
    shutil.copytree(data / "redis", tmp_path / "backup")
    run(*everything)
    whole = tracks(data)
    shutil.rmtree(data / "redis")
    (tmp_path / "backup").rename(data / "redis")
    assert 1 == run("verify", "--data", data).exit_code

    last = run(*everything)
    assert (0, whole) == (last.exit_code, tracks(data))
    assert 0 == run("verify", "--data", data).exit_code


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[Callable[[int], None]]:
    """Mounts a disk of this size at a folder, and yields a function that enlarges it."""

    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "segue-test", folder], check=True)  # noqa: S607 - its folder differs between systems

    folder.mkdir()
    mount(f"size={kibibytes}k")
    try:
        yield lambda more: mount(f"remount,size={more}k")
    finally:
        subprocess.run(["umount", folder], check=True)  # noqa: S607 - likewise


# Writes tracks until that fails, prints the number of acknowledged ones, and exits with the error.
FILL = """
import itertools, sys
from pathlib import Path
from segue.core.redis_catalogue.open import open_store
from tests.helpers.catalogue.tracks import addition
try:
    with open_store(Path(sys.argv[1])) as store, store.writer("model", "front end", 16) as writer:
        for start in itertools.count(step=50):
            writer.add([addition(number) for number in range(start, start + 50)])
            print(start + 50, flush=True)
except Exception as error:
    sys.exit(str(error))
"""


mounts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk, which only root can"
)


@mounts
def test_the_disk_is_full_under_redis(tmp_path: Path) -> None:
    """Redis cannot write its log: acknowledged tracks are safe, and with more room the catalogue works again."""
    with small_disk(tmp_path / "redis", kibibytes=256) as grow:
        command = [sys.executable, "-c", FILL, str(tmp_path)]
        filled = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert "disk is full" in filled.stderr
        written = int(filled.stdout.split()[-1])
        grow(65_536)
        with open_store(tmp_path) as store:
            assert 50 <= written <= store.count() < 10_000
        assert 1 == run("verify", "--data", tmp_path).exit_code  # it has no index yet
        assert 0 == run("rebuild", "--data", tmp_path).exit_code
        assert 0 == run("verify", "--data", tmp_path).exit_code


@mounts
def test_the_disk_is_full_while_the_index_is_written(catalogue: RedisStore, tmp_path: Path) -> None:
    """The older index stays, and no part of the new one; with more room the next run publishes it."""
    with small_disk(tmp_path / "snapshots", kibibytes=24) as grow:
        assert 0 == run("rebuild", "--data", tmp_path).exit_code
        with catalogue.writer("model", "front end", 16) as writer:
            writer.add([addition(number) for number in range(100, 200)])
        before = sorted((tmp_path / "snapshots").iterdir())

        failed = run("rebuild", "--data", tmp_path)
        assert (1, True) == (failed.exit_code, str(tmp_path / "snapshots") in failed.stderr)
        assert before == sorted((tmp_path / "snapshots").iterdir())
        assert 0 == run("verify", "--data", tmp_path).exit_code

        grow(1024)
        assert 0 == run("rebuild", "--data", tmp_path).exit_code
        assert (2, 120) == (len(list_snapshots(tmp_path / "snapshots")), newest_revision(tmp_path))
        assert 0 == run("verify", "--data", tmp_path).exit_code
