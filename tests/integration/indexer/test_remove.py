from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import addition, track_id
from tests.helpers.indexer import run


def published(store: RedisStore, data: Path) -> list[str]:
    """Returns the tracks of the index of the current revision."""
    identity = store.identity()
    assert identity is not None
    snapshot = load_newest(data, identity, since=store.revision())
    assert snapshot is not None
    return list(snapshot.index.track_ids)


def test_a_track_is_removed_by_its_id(catalogue: RedisStore, tmp_path: Path) -> None:
    """It leaves the catalogue with its files, and the published index."""
    ended = run("remove", track_id(3), "--data", tmp_path)

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert ended.stdout.startswith("Removed 1 track and 1 file in ")
    assert ended.stdout.endswith("The catalogue has 19 tracks.\n")
    assert [None] == catalogue.get([track_id(3)])
    assert [None] == catalogue.files(["/music/1/3.flac"])
    assert list(all_track_ids(catalogue)) == published(catalogue, tmp_path)


def test_a_path_that_is_not_utf_8(catalogue: RedisStore, tmp_path: Path) -> None:
    """It is removed by its bytes, and also by the text that Segue prints for it."""
    path = Path("/else/caf\udce9.flac")
    for target in (path, display_path(path)):
        with catalogue.writer("model", "front end", 16) as writer:
            writer.add([addition(3, display_path(path))])
        ended = run("remove", target, "--data", tmp_path)
        assert (0, [None]) == (ended.exit_code, catalogue.files([display_path(path)])), ended.stderr

    failed = json.loads(run("remove", path, "--data", tmp_path, "--json").stdout)
    assert ["/else/caf\\xe9.flac"] == [failure["path"] for failure in failed["failures"]]


def test_a_path_forgets_that_file(catalogue: RedisStore, tmp_path: Path) -> None:
    """A track with another file stays and gets its path, and the revision does not change."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([addition(3, "/elsewhere/3.flac")])
    ended = run("remove", "/elsewhere/3.flac", "--data", tmp_path, "--json")

    assert (0, 0, 1, 20) == tuple(json.loads(ended.stdout)[key] for key in ("failed", "removed", "forgotten", "tracks"))
    assert ["/music/1/3.flac"] == [track.path for track in catalogue.get([track_id(3)]) if track]
    assert 20 == catalogue.revision()


def test_a_folder_selects_all_files_under_it(
    catalogue: RedisStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not exist any more, and its path may be relative; folders with similar names stay."""
    with catalogue.writer("model", "front end", 16) as writer:
        writer.add([addition(30, "/music/10/30.flac")])
    monkeypatch.chdir("/")
    ended = run("remove", "music/1/", track_id(5), "--data", tmp_path, "--json")

    assert (10, 10, 11) == tuple(json.loads(ended.stdout)[key] for key in ("removed", "forgotten", "tracks"))
    assert [track_id(number) for number in (*range(0, 20, 2), 30)] == published(catalogue, tmp_path)


def test_an_unknown_argument_is_reported(catalogue: RedisStore, tmp_path: Path) -> None:
    """It is an error, but the others are removed."""
    ended = run("remove", track_id(99), track_id(1), "/music/none", "--data", tmp_path, "--json")

    report = json.loads(ended.stdout)
    assert (1, 1, 2) == (ended.exit_code, report["removed"], report["failed"])
    assert [track_id(99), "/music/none"] == [failure["path"] for failure in report["failures"]]
    assert {"NOT_IN_CATALOGUE"} == {failure["reason"] for failure in report["failures"]}


def test_a_dry_run_does_nothing(catalogue: RedisStore, tmp_path: Path) -> None:
    """It counts what a run would remove, and neither the catalogue nor the index changes."""
    ended = run("remove", "/music/0", track_id(1), track_id(2), "--data", tmp_path, "--dry-run")

    assert "A run would remove 11 tracks and 11 files from a catalogue of 20 tracks.\n" in ended.stdout
    assert (20, 20) == (catalogue.count(), catalogue.revision())
    assert not (tmp_path / "snapshots").exists()
