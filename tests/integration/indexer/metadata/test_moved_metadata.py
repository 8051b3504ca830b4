"""Metadata of owners follow a moved file, to one file only, and an external id to one file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.indexer import Indexer, run, run_json, write_library


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with two files."""
    return write_library(tmp_path / "music", 2, 3.5)


@pytest.fixture
def where(indexer: Indexer) -> tuple[str | Path, ...]:
    """The options of a run."""
    return "--data", indexer.data, "--model", indexer.model, "--jobs", "1"


@pytest.fixture
def add(music: Path, where: tuple[str | Path, ...]) -> Callable[..., dict[str, Any]]:
    """A function that adds the files of a manifest, given their names and external ids."""

    def add(**files: str | None) -> dict[str, Any]:
        lines = [{"path": f"music/{name[1:]}.flac", "external_id": external_id} for name, external_id in files.items()]
        manifest = music.parent / "tracks.jsonl"
        manifest.write_text("\n".join(map(json.dumps, lines)))
        return run_json("add", "--manifest", manifest, *where)

    return add


def holders(indexer: Indexer, *names: str) -> list[str]:
    """Returns the external ids of files, "" for a file without one and "-" for an unknown file."""
    with indexer.store() as store:
        files = store.files([str(indexer.data.parent / "music" / f"{name}.flac") for name in names])
        return ["-" if file is None else file.own.external_id for file in files]


def path_of(indexer: Indexer, external_id: str) -> str:
    """Returns the name of the file that an external id leads to, or ""."""
    with indexer.store() as store:
        (path,) = store.external_paths([external_id])
        return Path(path or "").stem


def is_sound(indexer: Indexer) -> bool:
    """Returns whether verify finds nothing."""
    return run("verify", "--data", indexer.data).exit_code == 0


def test_two_copies_of_a_missing_file(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path, where: tuple[str | Path, ...]
) -> None:
    """One of them has the external id, and the missing file has none any more."""
    add(f0000="1")
    shutil.copy2(music / "0000.flac", music / "b.flac")
    shutil.move(music / "0000.flac", music / "c.flac")
    assert 2 == run_json("add", music / "b.flac", music / "c.flac", *where)["added"]
    assert ["", "", "1"] == sorted(holders(indexer, "0000", "b", "c"))
    assert path_of(indexer, "1") in ("b", "c")
    assert is_sound(indexer)


def test_a_file_that_comes_back(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path, where: tuple[str | Path, ...]
) -> None:
    """Its external id stays with the file that got it meanwhile."""
    add(f0000="7")
    shutil.move(music / "0000.flac", music.parent / "away.flac")
    add(f0001="7")
    shutil.move(music.parent / "away.flac", music / "0000.flac")
    assert 0 == run_json("add", music / "0000.flac", *where, "--recheck")["failed"]
    assert (["", "7"], "0001") == (holders(indexer, "0000", "0001"), path_of(indexer, "7"))
    assert is_sound(indexer)


def test_a_manifest_that_gives_a_moved_file_no_metadata(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path
) -> None:
    """An empty line is what its owner says: nothing is inherited, and the same manifest again changes nothing."""
    add(f0000="5")
    shutil.move(music / "0000.flac", music / "moved.flac")
    assert (1, 0) == tuple(add(fmoved=None)[name] for name in ("added", "decoded"))
    assert (1, 0) == tuple(add(fmoved=None)[name] for name in ("unchanged", "updated"))
    assert ["5", ""] == holders(indexer, "0000", "moved")
    assert is_sound(indexer)


def test_the_removal_of_one_of_two_files_of_a_track(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path
) -> None:
    """An external id names its file, so the other file and its id stay."""
    shutil.copy2(music / "0000.flac", music / "copy.flac")
    add(f0000="1", fcopy="2")
    report = run_json("remove", "external:2", "--data", indexer.data)
    assert (0, 1) == (report["removed"], report["forgotten"])
    assert ["1", "-"] == holders(indexer, "0000", "copy")
    assert is_sound(indexer)
