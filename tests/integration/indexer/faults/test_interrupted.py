from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.indexer import Indexer, run, write_library
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until

CLIPS = 160


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Enough clips that a run takes a while."""
    return write_library(tmp_path / "music", CLIPS, seconds=8.0)


def _wait_for(store: RedisStore, process: subprocess.Popen[str], tracks: int) -> None:
    wait_until(lambda: store.count() >= tracks or process.poll() is not None)
    assert process.poll() is None, "the run ended too early"


def test_nothing_is_lost_and_nothing_twice(indexer: Indexer, library: Path) -> None:
    """Runs that are stopped by Ctrl-C, killed and finished give the same catalogue as one undisturbed run."""
    with indexer.store() as store:
        after_stop = _stop(indexer, library, store)
        after_kill = _kill(indexer, library, store)
        last = indexer.report(library)

        assert 0 < after_stop < after_kill < CLIPS
        assert (CLIPS, after_kill, CLIPS - after_kill) == (last["tracks"], last["unchanged"], last["decoded"])
        events = store.events(0, 10 * CLIPS)
        assert {1} == set(Counter(event.track_id for event in events).values())
        assert CLIPS == len(events) == store.revision()
        _check_index(indexer, store)

        # A run that was killed between its last commit and the index: the next one publishes it and decodes nothing.
        for snapshot in (indexer.data / "snapshots").iterdir():
            (snapshot / "header.json").unlink()
        assert 0 == indexer.report(library)["decoded"]
        _check_index(indexer, store)


def _stop(indexer: Indexer, library: Path, store: RedisStore) -> int:
    """Stops a run by Ctrl-C, which a terminal sends to every process of the group, and returns the tracks so far."""
    command = indexer.command(library, "--jobs", "1")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        _wait_for(store, process, 1)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert 130 == process.returncode
    assert f"of {CLIPS} files. Finished work is kept: run the same command again to continue." in stderr
    assert "Traceback" not in stderr
    assert f"{store.count()} added, 0 unchanged, 0 failed" in stdout
    _check_index(indexer, store)
    return store.count()


def _kill(indexer: Indexer, library: Path, store: RedisStore) -> int:
    """Kills a second run after it committed a batch, and returns the number of tracks so far."""
    before = store.count()
    with subprocess.Popen(indexer.command(library, "--jobs", "1", "--quiet"), text=True) as process:
        _wait_for(store, process, before + 1)
        process.kill()
    _check_agreement(indexer)
    return store.count()


def _check_index(indexer: Indexer, store: RedisStore) -> None:
    """Asserts that the published index has every track."""
    identity = store.identity()
    assert identity is not None
    snapshot = load_newest(indexer.data, identity, since=store.revision())
    assert snapshot is not None
    assert store.count() == len(snapshot.index)
    _check_agreement(indexer)


def _check_agreement(indexer: Indexer) -> None:
    """Asserts that all data of the catalogue agrees."""
    verified = run("verify", "--data", indexer.data)
    assert (0, "") == (verified.exit_code, verified.stderr)
