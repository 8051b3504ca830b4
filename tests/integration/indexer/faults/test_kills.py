"""Kills the indexer at every stage of its work and at random moments; the catalogue is as after an undisturbed run.

These tests overwrite each file that is in the catalogue, with the same size and time: if a later run decoded it again,
the track would change or fail.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.catalogue.records import PathRecord, Track, Vector
from segue.core.catalogue.store import all_track_ids
from segue.core.failpoints import Failpoint
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import addition
from tests.helpers.indexer import PROGRAM, Indexer, killed_at, run, run_json, write_library
from tests.helpers.machine.waiting import PATIENCE_SECONDS

STAGES = [
    "after-decode:20",
    "before-commit:1",
    "before-commit:2",
    "after-commit:1",
    "snapshot-write",
    "before-rename",
    "after-rename",
]
CLIPS = 24
FLAC_SYNC = b"\xff\xf8"
TRIMMING = [Failpoint.BEFORE_TRIM, Failpoint.AFTER_TRIM]
# Other tests reach these.
ELSEWHERE = [Failpoint.WHILE_REMOVING, Failpoint.BEFORE_SWITCH, Failpoint.AFTER_SWITCH]


class Library:
    """Short clips on several shelves, some of them real, and a file without audio."""

    def __init__(self, folder: Path, shelves: int, real: list[Path]) -> None:
        self.folder = folder
        write_library(folder, shelves * CLIPS, seconds=3.0)
        for number, clip in enumerate(sorted(folder.iterdir())):
            shelf = folder / f"shelf{number % shelves:02}"
            shelf.mkdir(exist_ok=True)
            clip.rename(shelf / clip.name)
        for clip in real:
            shutil.copy(clip, folder / "shelf00")
        (folder / "shelf00" / "no-music.flac").write_bytes(b"no music")
        self.good = len(self.files) - 1
        self._originals = {path: path.read_bytes() for path in self.files}

    @property
    def files(self) -> list[Path]:
        """All files, in order."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def shelf(self, number: int) -> Path:
        """Returns the folder of a shelf."""
        return self.folder / f"shelf{number:02}"

    def spoil(self, paths: set[str]) -> None:
        """Overwrites the frames of FLAC files with zeros, which cannot be decoded; their track ids stay the same."""
        for path in map(Path, paths):
            content = path.read_bytes()
            if content.startswith(b"fLaC"):
                frames = content.index(FLAC_SYNC) if FLAC_SYNC in content else len(content)
                _overwrite(path, content[:frames] + bytes(len(content) - frames))

    def restore(self) -> None:
        """Restores the content of every file."""
        for path, content in self._originals.items():
            _overwrite(path, content)


def _overwrite(path: Path, content: bytes) -> None:
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def indexed(store: RedisStore) -> set[str]:
    """Returns the paths of the indexed files."""
    return {file.path for file in store.all_files()}


def killed_at_random(dice: random.Random, command: list[str], store: RedisStore) -> None:
    """Kills a run a moment after its first commit, or after its end."""
    before = store.revision()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while store.revision() == before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.2))
        process.kill()


@pytest.mark.timeout(900)  # it starts the indexer up to twenty times
@pytest.mark.parametrize("random_kills", [2, pytest.param(10, marks=pytest.mark.soak)])
def test_killed_at_every_stage(indexer: Indexer, clips: list[Path], tmp_path: Path, random_kills: int) -> None:
    """Every good file is indexed once, none is decoded twice, and the catalogue is that of an undisturbed run."""
    dice = random.Random(5)
    shelves = len(STAGES) + random_kills
    library = Library(tmp_path / "music", shelves, clips[::5])
    assert set(Failpoint) == {stage.partition(":")[0] for stage in STAGES}.union(TRIMMING, ELSEWHERE)
    with indexer.store() as store:
        for number, stage in enumerate(STAGES):
            killed_at(stage, indexer.command(library.shelf(number)))
            library.spoil(indexed(store))
            assert_agrees(indexer)
        for number in range(len(STAGES), shelves):
            killed_at_random(dice, indexer.command(library.shelf(number - 1), library.shelf(number)), store)
            library.spoil(indexed(store))
            assert_agrees(indexer)
        committed = len(indexed(store))
        last = indexer.report(library.folder)

        assert (library.good, library.good - committed) == (last["tracks"], last["decoded"])
        assert {1} == set(Counter(event.track_id for event in store.events(0, 10_000)).values())
        assert_agrees(indexer)
        library.restore()
        with undisturbed(indexer, library).store() as other:
            assert_same(store, other)


def undisturbed(indexer: Indexer, library: Library) -> Indexer:
    """Indexes the same library in one run, and returns that indexer."""
    other = Indexer(indexer.data.with_name("undisturbed"), indexer.model)
    assert library.good == other.report(library.folder)["added"]
    return other


def assert_agrees(indexer: Indexer) -> None:
    """Asserts that Redis, its events and the snapshots agree, except that there may be no index yet."""
    problems = run_json("verify", "--data", indexer.data)["problems"]
    assert [] == [problem for problem in problems if problem["what"] != "the index"]


def assert_same(one: RedisStore, other: RedisStore) -> None:
    """Asserts that two catalogues have equal tracks, files and failures, and embeddings that differ by rounding."""
    ids = list(all_track_ids(one))
    assert ids == list(all_track_ids(other))
    assert [_rounded(track) for track in one.get(ids)] == [_rounded(track) for track in other.get(ids)]
    np.testing.assert_allclose(_matrix(one, ids), _matrix(other, ids), atol=1e-6)
    assert _without_ctime(one) == _without_ctime(other)
    assert _failed(one) == _failed(other)


def _without_ctime(store: RedisStore) -> set[PathRecord]:
    """Returns the files; the two catalogues have indexed them before and after their content was restored."""
    return {replace(file, ctime_ns=0) for file in store.all_files()}


def _rounded(track: Track | None) -> Track | None:
    assert track is not None
    return replace(track, posterior={genre: round(share, 5) for genre, share in track.posterior.items()})


def _matrix(store: RedisStore, ids: list[str]) -> Vector:
    return np.stack([embedding for embedding in store.embeddings(ids) if embedding is not None])


def _failed(store: RedisStore) -> set[tuple[str, str]]:
    return {(failure.path, failure.reason) for failure in store.all_failures()}


@pytest.mark.usefixtures("catalogue")
def test_killed_while_an_old_snapshot_is_removed(tmp_path: Path) -> None:
    """Its remains do not count as a snapshot, and the next run deletes them."""
    for _ in range(2):
        assert 0 == run("rebuild", "--data", tmp_path).exit_code

    killed_at(Failpoint.WHILE_REMOVING, [*PROGRAM, "rebuild", "--data", str(tmp_path)])
    assert 0 == run("verify", "--data", tmp_path).exit_code
    assert 0 == run("rebuild", "--data", tmp_path).exit_code
    assert 2 == len(list((tmp_path / "snapshots").iterdir()))


@pytest.mark.parametrize("stage", TRIMMING)
def test_killed_while_trimming(catalogue: RedisStore, tmp_path: Path, stage: str) -> None:
    """The stream is trimmed or it is not, and all data agrees; the next run trims it."""
    with catalogue.writer("model", "front end", 16) as writer:
        for start in range(1_000, 11_000, 1_000):
            writer.add([addition(number) for number in range(start, start + 1_000)])
    rebuild = [*PROGRAM, "rebuild", "--data", str(tmp_path)]
    assert 0 == subprocess.run(rebuild, check=False, capture_output=True, timeout=PATIENCE_SECONDS).returncode
    assert 1 == catalogue.state().oldest_revision

    killed_at(stage, rebuild)
    assert 0 == run("verify", "--data", tmp_path).exit_code
    assert 0 == run("rebuild", "--data", tmp_path).exit_code
    assert 10_020 == catalogue.state().oldest_revision  # the last event of the older snapshot is kept
    assert 0 == run("verify", "--data", tmp_path).exit_code
