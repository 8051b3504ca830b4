from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from segue.core.catalogue.records import Track
from segue.core.catalogue.store import all_track_ids
from tests.helpers.indexer import Indexer, run_json, write_library
from tests.helpers.machine.waiting import wait_until
from tests.helpers.watching import running_watch

FILES, FOLDERS = 200, 7


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Short files with a title each, in one folder of the library."""
    plain = write_library(tmp_path / "plain", FILES, seconds=3.0)
    library = tmp_path / "library"
    (library / "before").mkdir(parents=True)
    for path in sorted(plain.iterdir()):
        samples, rate = soundfile.read(path)
        with soundfile.SoundFile(library / "before" / path.name, "w", rate, 1) as file:
            file.title = f"Song {path.stem}"
            file.write(samples)
    shutil.rmtree(plain)
    return library


def move(library: Path) -> None:
    """Moves every file to one of several new folders, and renames it."""
    for number, path in enumerate(sorted((library / "before").iterdir())):
        folder = library / "after" / f"shelf {number % FOLDERS}"
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / f"{number} - renamed.flac")


def tracks(indexer: Indexer) -> list[Track]:
    """Returns all tracks without their paths."""
    with indexer.store() as store:
        return [replace(track, path="") for track in store.get(list(all_track_ids(store))) if track]


@contextmanager
def moved_by(command: str, indexer: Indexer, library: Path) -> Iterator[dict[str, int]]:
    """Moves the library while a watch runs, or before another command, and yields the counts."""
    options = ("--data", indexer.data, "--model", indexer.model)
    if command != "watch":
        move(library)
        yield run_json(command, library, *options)
        return
    with running_watch(indexer.data, indexer.model, library) as watch:
        move(library)
        wait_until(lambda: FILES == watch.total("forgotten"))
        yield {name: watch.total(name) for name in ("added", "rechecked", "decoded", "removed", "failed")}


@pytest.mark.parametrize("command", ["add", "sync", "watch"])
def test_a_moved_and_renamed_library(indexer: Indexer, library: Path, command: str) -> None:
    """However the files were moved and renamed, none is decoded, and each track keeps its id and its metadata."""
    assert FILES == indexer.report(library)["decoded"]
    before = tracks(indexer)
    assert {f"Song {number:04}" for number in range(FILES)} == {track.title for track in before}
    with moved_by(command, indexer, library) as counts:
        expected = {"added": FILES, "rechecked": FILES, "decoded": 0, "removed": 0, "failed": 0}
        assert expected == {name: counts[name] for name in expected}
        assert before == tracks(indexer)
    with indexer.store() as store:
        files = sorted(file.path for file in store.all_files() if "/after/" in file.path)
    assert sorted(map(str, (library / "after").rglob("*.flac"))) == files
