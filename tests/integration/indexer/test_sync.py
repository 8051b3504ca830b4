from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.open import open_store
from tests.helpers.indexer import run, write_library

CLIPS = 12
COUNTS = ("added", "updated", "unchanged", "forgotten", "removed", "failed", "decoded", "tracks")

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a library in two folders, and its catalogue."""
    folder = tmp_path_factory.mktemp("synced")
    music = write_library(folder / "music", CLIPS, seconds=4.0)
    (music / "a").mkdir()
    for number in range(2):
        (music / f"{number:04}.flac").rename(music / "a" / f"{number:04}.flac")
    (music / "0002.flac").rename(music / os.fsdecode(b"caf\xe9.flac"))
    assert 0 == run("add", music, "--data", folder / "data", "--model", tiny_model).exit_code
    return folder


@pytest.fixture
def music(template: Path, tmp_path: Path) -> Path:
    """That library as it was, where it was."""
    shutil.copytree(template / "music", tmp_path / "kept")
    shutil.copytree(template / "data" / "redis", tmp_path / "data" / "redis", ignore=shutil.ignore_patterns("*.sock"))
    return template / "music"


@pytest.fixture
def synced(music: Path, tmp_path: Path, tiny_model: Path) -> Run:
    """Makes this test's copy of the catalogue match the library."""

    def sync(*arguments: str | Path) -> Result:
        places = [argument for argument in arguments if isinstance(argument, Path)] or [music]
        options = [argument for argument in arguments if isinstance(argument, str)]
        return run("sync", *places, "--data", tmp_path / "data", "--model", tiny_model, "--jobs", "1", *options)

    return sync


@pytest.fixture(autouse=True)
def _restored(music: Path, tmp_path: Path) -> Iterator[None]:
    """Puts the library back as it was, with the times of its files."""
    yield
    shutil.rmtree(music)
    shutil.copytree(tmp_path / "kept", music)


def counted(done: Result) -> tuple[int, ...]:
    """What the report counts, in the order of ``COUNTS``."""
    report = json.loads(done.stdout)
    return tuple(report[name] for name in COUNTS)


def test_nothing_to_do_opens_nothing(synced: Run) -> None:
    """A library that is as it was costs a look at each file; a name that is no text counts as there."""
    assert (0, 0, CLIPS, 0, 0, 0, 0, CLIPS) == counted(synced("--json"))


def test_a_file_that_is_gone_takes_its_track_along(synced: Run, music: Path, tmp_path: Path) -> None:
    """Its track leaves the catalogue and the published index; a copy of another is only forgotten."""
    shutil.copy(music / "0005.flac", music / "copy.flac")
    assert (1, 0, CLIPS, 0, 0, 0, 1, CLIPS) == counted(synced("--json"))
    (music / "0005.flac").unlink()
    (music / "0006.flac").unlink()

    assert (0, 0, CLIPS - 1, 2, 1, 0, 0, CLIPS - 1) == counted(synced("--json"))
    with open_store(tmp_path / "data") as store:
        assert [None] == store.files([str(music / "0006.flac")])
        identity = store.identity()
        assert identity is not None
        snapshot = load_newest(tmp_path / "data", identity, since=store.revision())
        assert snapshot is not None
        assert list(all_track_ids(store)) == list(snapshot.index.track_ids)


def test_a_renamed_folder_holds_the_same_tracks(synced: Run, music: Path, tmp_path: Path) -> None:
    """However many files moved: no track goes, none comes, and each goes by its new name."""
    with open_store(tmp_path / "data") as store:
        before = (store.revision(), list(all_track_ids(store)))
        moved = Path(shutil.move(music, tmp_path / "moved"))
        music.mkdir()
        done = synced(moved, music, "--json", "--allow-removals")

        assert (CLIPS, 0, 0, CLIPS, 0, 0, CLIPS, CLIPS) == counted(done)
        assert before == (store.revision(), list(all_track_ids(store)))
        paths = [track.path for track in store.get(before[1]) if track]
        assert {str(moved)} == {str(Path(path).parent).removesuffix("/a") for path in paths}


def test_only_what_lies_under_the_paths_is_forgotten(synced: Run, music: Path) -> None:
    """Files elsewhere are not looked for."""
    (music / "a" / "0000.flac").unlink()
    (music / "0007.flac").unlink()

    assert (0, 0, 1, 1, 1, 0, 0, CLIPS - 1) == counted(synced(music / "a", "--json"))


def test_so_many_removals_are_refused(synced: Run, music: Path, tmp_path: Path) -> None:
    """More than a fifth looks like an unmounted disk: new files are taken, and the rest waits for a word."""
    for number in range(3, 6):
        (music / f"{number:04}.flac").unlink()
    (music / "0006.flac").rename(music / "renamed.flac")
    refused = synced()

    assert 1 == refused.exit_code
    assert "3 of the 12 tracks in the catalogue have no file any more" in refused.stderr
    assert "--allow-removals" in refused.stderr
    assert "1 added" in refused.stdout
    with open_store(tmp_path / "data") as store:
        assert CLIPS == store.count()
    assert (0, 0, CLIPS - 3, 4, 3, 0, 0, CLIPS - 3) == counted(synced("--allow-removals", "--json"))


def test_an_empty_folder_is_refused(synced: Run, music: Path, tmp_path: Path) -> None:
    """A place where a disk is mounted is empty without it, however small its part of the catalogue."""
    shutil.rmtree(music / "a")
    (music / "a").mkdir()
    refused = synced(music / "a", music)

    assert 1 == refused.exit_code
    assert f"There is no music under {music / 'a'}: " in refused.stderr
    with open_store(tmp_path / "data") as store:
        assert CLIPS == store.count()
    assert (0, 0, 0, 2, 2, 0, 0, CLIPS - 2) == counted(synced(music / "a", "--allow-removals", "--json"))


def test_what_cannot_be_looked_at_is_not_gone(synced: Run, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not answer loses no track."""
    look = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.parent == music / "a":
            raise OSError(5, "Input/output error")
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    done = synced("--json", "--allow-removals")

    assert (0, 0, CLIPS - 2, 0, 0, 2, 0, CLIPS) == counted(done)


def test_a_dry_run_does_nothing(synced: Run, music: Path, tmp_path: Path) -> None:
    """It counts what would be done, and says that it did not."""
    (music / "0006.flac").rename(music / "renamed.flac")
    (music / "0007.flac").touch()
    done = synced("--dry-run")

    assert "Nothing was done. It would be: 1 added, 1 updated, 10 unchanged, 1 forgotten, 0 failed, 1 removed.\n" == (
        done.stdout
    )
    assert not (tmp_path / "data" / "snapshots").exists()
    with open_store(tmp_path / "data") as store:
        assert (CLIPS, CLIPS) == (store.count(), store.revision())


def test_a_dry_run_tells_what_would_be_refused(synced: Run, music: Path) -> None:
    """Who tries first need not find out by being refused."""
    for number in range(3, 7):
        (music / f"{number:04}.flac").unlink()
    done = synced("--dry-run")

    assert 0 == done.exit_code
    assert "4 removed.\nMore than 20 % of the tracks: unless they were only renamed" in done.stdout


def test_add_can_be_tried_as_well(music: Path, tmp_path: Path, tiny_model: Path) -> None:
    """A dry run of add makes no catalogue, and does not look for what is gone."""
    done = run("add", music, "--data", tmp_path / "new", "--model", tiny_model, "--dry-run", "--json")

    assert (CLIPS, 0, 0, 0, 0, 0, 0, 0) == counted(done)
    assert json.loads(done.stdout)["dry_run"]
    with open_store(tmp_path / "new") as store:
        assert store.identity() is None
