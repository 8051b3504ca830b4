"""A catalogue whose writer or Redis is killed at any moment: nothing that was committed is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from segue.core.catalogue.store import all_track_ids
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore

# Adds, moves, forgets and removes tracks forever, and prints each revision once it is committed.
WRITER = """
import random, sys
from pathlib import Path
import numpy as np
from segue.core.redis_catalogue.open import open_store
from segue.core.catalogue.records import Addition, FailureRecord, PathRecord, Track
dice = random.Random(int(sys.argv[2]))
with open_store(Path(sys.argv[1])) as store, store.writer("model", "front-end", 4) as writer:
    while True:
        numbers = [dice.randrange(400) for _ in range(30)]
        vectors = np.eye(4, dtype=np.float32)[[dice.randrange(4) for _ in numbers]]
        paths = [f"/{dice.randrange(400)}" for _ in numbers]
        writer.add([
            Addition(Track(f"{n:032x}", "Title", path=path), vector, PathRecord(path, 1, 1, f"{n:032x}"))
            for n, path, vector in zip(numbers, paths, vectors)
        ])
        writer.forget([f"/{dice.randrange(400)}" for _ in range(5)])
        writer.record_failures([FailureRecord(f"/{dice.randrange(400)}", 1, 1, "R", "Why.", 1)])
        print(writer.remove([f"{dice.randrange(400):032x}" for _ in range(3)]), flush=True)
"""


def write_and_kill(data: Path, victim: str, seed: int) -> int:
    """Starts a writer, kills it or its Redis at a random moment, and returns the last revision that it printed."""
    command = [sys.executable, "-c", WRITER, str(data), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
        assert writer.stdout is not None
        first_line = writer.stdout.readline()
        with closing(Redis(unix_socket_path=str(data / "redis/redis.sock"))) as client:
            redis_pid = int(client.info("server")["process_id"])
        time.sleep(random.Random(seed).random() * 0.2)
        os.kill(redis_pid if victim == "redis" else writer.pid, signal.SIGKILL)
        printed = [int(line) for line in [first_line, *writer.stdout] if line.endswith("\n")]
    return printed[-1]


def assert_consistent(store: RedisStore) -> None:
    """Asserts that the stream, the ids, the metadata, the embeddings and the files agree."""
    events = store.events(0, 1_000_000)
    assert list(range(1, store.revision() + 1)) == [event.revision for event in events]
    last_kinds = {event.track_id: event.kind for event in events}
    ids = list(all_track_ids(store))
    assert sorted(track_id for track_id, kind in last_kinds.items() if kind == "add") == ids
    assert store.count() == len(ids)
    assert None not in store.get(ids)
    assert all(embedding is not None for embedding in store.embeddings(ids))
    assert [] == [finding for part in store.audit(4).parts for finding in part()]
    files = [file for file in store.files([f"/{number}" for number in range(400)]) if file]
    assert set(ids) == {file.track_id for file in files}


@pytest.mark.parametrize("victim", ["writer", "redis"])
def test_a_kill_loses_nothing(tmp_path: Path, victim: str) -> None:
    """After each of five kills, every printed revision is there, and no transaction is there by halves."""
    for seed in range(5):
        committed = write_and_kill(tmp_path, victim, seed)
        with open_store(tmp_path) as store:
            assert committed <= store.revision()
            assert_consistent(store)
