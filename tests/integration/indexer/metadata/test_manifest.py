"""``segue-indexer add --manifest`` gives files ids, names and attributes of their owner."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.core.catalogue.external_ids import track_ids_of
from segue.core.catalogue.records import NO_METADATA, OwnMetadata, Track
from segue.core.catalogue.store import all_track_ids
from segue.indexer.errors import ManifestUnusable
from segue.indexer.pipeline.manifest import Manifest
from tests.helpers.indexer import Indexer, killed_at, run, run_json, write_library

COUNTS = ("added", "updated", "unchanged", "decoded", "failed")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with four files."""
    return write_library(tmp_path / "music", 4, 3.5)


@pytest.fixture
def add(music: Path, indexer: Indexer) -> Callable[..., dict[str, Any]]:
    """A function that adds the files of a manifest with these lines, and returns the document."""

    def add(*lines: object, options: tuple[str, ...] = ()) -> dict[str, Any]:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        manifest = music.parent / "tracks.jsonl"
        manifest.write_text("\n".join(texts))
        where = ("--data", indexer.data, "--model", indexer.model, "--jobs", "1")
        return run_json("add", "--manifest", manifest, *where, *options)

    return add


def line(number: int, **values: object) -> dict[str, object]:
    """Returns a line that describes a file."""
    return {"path": f"music/{number:04}.flac", "external_id": f"id {number}", **values}


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    """Returns the numbers of files that were added, updated, unchanged, decoded and failed."""
    return tuple(report[name] for name in COUNTS)


def problems(report: dict[str, Any]) -> list[str]:
    """Returns the failures without their folder."""
    return [f"{Path(each['path']).name}: {each['message']}" for each in report["failures"]]


def tracks(indexer: Indexer) -> dict[str, Track]:
    """Returns the tracks of a catalogue by the names of their files."""
    with indexer.store() as store:
        return {Path(track.path).name: track for track in store.get(list(all_track_ids(store))) if track}


def external(indexer: Indexer, *external_ids: str) -> list[str]:
    """Returns the names of the files of the tracks with these external ids, or ""."""
    with indexer.store() as store:
        found = track_ids_of(external_ids, store)
        known = store.get([track_id or "" for track_id in found])
        return [Path(track.path).name if track else "" for track in known]


def is_sound(indexer: Indexer) -> bool:
    """Returns whether verify finds nothing."""
    return run("verify", "--data", indexer.data).exit_code == 0


def test_a_manifest_and_a_changed_one(add: Callable[..., dict[str, Any]], indexer: Indexer) -> None:
    """The second run opens no file, and replaces the metadata of a file as a whole; others stay as they are."""
    first = add(line(0, title="Own", attributes={"mood": "calm", "bpm": 90}), line(1), line(2))
    assert (3, 0, 0, 3, 0) == counts(first)
    assert ["0000.flac", "", "0002.flac"] == external(indexer, "id 0", "id 3", "id 2")
    assert OwnMetadata("id 0", "Own", attributes={"mood": "calm", "bpm": 90.0}) == tracks(indexer)["0000.flac"].own
    assert "0000" == tracks(indexer)["0000.flac"].title

    assert (0, 0, 3, 0, 0) == counts(
        add(line(0, title="Own", attributes={"mood": "calm", "bpm": 90}), line(1), line(2))
    )
    changed = add(line(0, artist="Other"), line(1), line(2, external_id="two"), options=("--json",))
    assert (0, 2, 1, 0, 0) == counts(changed)
    assert ["0000.flac", "0002.flac"] == [Path(file["path"]).name for file in changed["indexed"]]
    assert OwnMetadata("id 0", artist="Other") == tracks(indexer)["0000.flac"].own
    assert ["", "0002.flac"] == external(indexer, "id 2", "two")
    assert (0, 1, 0, 0, 0) == counts(add({"path": "music/0000.flac"}))
    assert NO_METADATA == tracks(indexer)["0000.flac"].own
    assert is_sound(indexer)


def test_bad_lines(add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path) -> None:
    """Each is named with its line, and the rest is added; such a line is no failure of its file."""
    report = add(
        line(0),
        "{",
        line(1, external_id="id 0"),
        line(0, external_id="again"),
        {"path": "music"},
        line(2, mood="calm"),
        {"path": "music/gone.flac"},
        line(3),
    )
    assert (2, 0, 0, 2, 6) == counts(report)
    assert [
        "tracks.jsonl, line 2: It is not JSON: Expecting property name enclosed in double quotes.",
        "tracks.jsonl, line 3: Line 1 has the same external_id, id 0; each file needs its own.",
        "tracks.jsonl, line 4: Line 1 has the same path; remove one of them.",
        f"tracks.jsonl, line 5: {music} is a folder; give the path of a file.",
        "tracks.jsonl, line 6: The field 'mood' is unknown; the fields are external_id, title, artist, album, "
        "attributes.",
        "gone.flac: It cannot be read: No such file or directory. Check the file and its permissions.",
    ] == problems(report)
    assert ["0000.flac", "0003.flac"] == external(indexer, "id 0", "id 3")
    with indexer.store() as store:
        assert [] == list(store.all_failures())


def test_unusual_paths(add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path) -> None:
    """A path counts as the same in other words, and one that the system does not accept fails by itself."""
    again, long = {"path": "music/../music/0000.flac"}, {"path": f"{music}/{'a' * 5_000}"}
    report = add(line(0), again, {"path": "a\ud800.mp3"}, long, line(1))
    assert (2, 0, 0, 2, 3) == counts(report)
    assert [
        "tracks.jsonl, line 2: Line 1 has the same path; remove one of them.",
        "tracks.jsonl, line 3: path has half of a character; give the path of a file.",
        f"{'a' * 5_000}: It cannot be read: File name too long. Check the file and its permissions.",
    ] == problems(report)
    assert {"0000.flac", "0001.flac"} == set(tracks(indexer))


@pytest.mark.parametrize("now", [[line(0)], [line(0), line(1), line(2)], [line(1), line(0)], [line(0), line(2)]])
def test_a_manifest_that_changes_meanwhile(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path, now: list[dict[str, object]]
) -> None:
    """The run fails, since lines that were not compared with each other could be wrong."""
    add(line(3))
    path = music.parent / "tracks.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (line(0), line(1))))
    manifest = Manifest(path)
    path.write_text("\n".join(map(json.dumps, now)))
    with indexer.store() as store, pytest.raises(ManifestUnusable, match=r"changed while .* Run the command again\."):
        list(manifest.sources(store))


def test_metadata_of_a_file_that_failed(add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path) -> None:
    """The track from before the failure gets them, and the file stays failed; a file without a track is skipped."""
    (music / "0002.flac").write_bytes(b"no music")
    add(line(0), line(1), line(2))
    (music / "0000.flac").write_bytes(b"no music")
    assert (0, 0, 1, 0, 1) == counts(add(line(0), line(1)))
    changed = add(line(0, title="New", external_id="new"), line(1), line(2, title="New"))
    assert (0, 1, 1, 0, 0, 1) == (*counts(changed), changed["skipped"])
    assert "New" == tracks(indexer)["0000.flac"].own.title
    assert ["", "0000.flac"] == external(indexer, "id 0", "new")
    assert (0, 0, 1, 0, 0) == counts(add(line(0, title="New", external_id="new"), line(1)))
    with indexer.store() as store:
        assert 2 == len(list(store.all_failures()))
    assert is_sound(indexer)


def test_external_ids_that_change_places(add: Callable[..., dict[str, Any]], indexer: Indexer) -> None:
    """An id of a file that exists is refused elsewhere, unless the same manifest gives that file another one."""
    add(line(0), line(1))
    refused = add(line(2, external_id="id 1"))
    assert (0, 0, 0, 0, 1) == counts(refused)
    assert "0001.flac has the external_id id 1; remove it first, or give it another one." in problems(refused)[0]
    assert (0, 2, 0, 0, 0) == counts(add(line(0, external_id="id 1"), line(1, external_id="id 0")))
    assert ["0001.flac", "0000.flac"] == external(indexer, "id 0", "id 1")
    assert is_sound(indexer)


def test_an_external_id_of_a_missing_file(add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path) -> None:
    """It can be given to another file."""
    add(line(0), line(1))
    (music / "0001.flac").unlink()
    assert (1, 0, 0, 1, 0) == counts(add(line(2, external_id="id 1")))
    assert ["0002.flac"] == external(indexer, "id 1")


@pytest.mark.parametrize("is_touched", [False, True])
def test_metadata_of_a_moved_file(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path, is_touched: bool
) -> None:
    """They move with it, also if its time changed, so that it is decoded again."""
    add(line(0, attributes={"mood": "calm"}), line(1))
    shutil.move(music / "0000.flac", music / "moved.flac")
    if is_touched:
        os.utime(music / "moved.flac")
    where = ("--data", indexer.data, "--model", indexer.model, "--allow-removals")
    assert is_touched == run_json("sync", music, *where)["decoded"] - 2
    assert OwnMetadata("id 0", attributes={"mood": "calm"}) == tracks(indexer)["moved.flac"].own
    assert ["moved.flac", "0001.flac"] == external(indexer, "id 0", "id 1")
    assert is_sound(indexer)


def test_metadata_stay(
    add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path, other_model: Path, tmp_path: Path
) -> None:
    """They survive a check of all files, a new model, and a backup."""
    add(line(0, title="Own", attributes={"lists": ["a", "b"]}), line(1))
    expected = {name: track.own for name, track in tracks(indexer).items()}
    where = ("--data", indexer.data)
    assert 2 == run_json("add", music / "0000.flac", music / "0001.flac", *where, "--recheck")["rechecked"]
    assert expected == {name: track.own for name, track in tracks(indexer).items()}
    assert 2 == run_json("reindex", *where, "--model", other_model)["decoded"]
    assert expected == {name: track.own for name, track in tracks(indexer).items()}
    assert 0 == run("backup", tmp_path / "backup", *where).exit_code
    assert 0 == run("restore", tmp_path / "backup", "--data", tmp_path / "copy").exit_code
    copy = Indexer(tmp_path / "copy", other_model)
    assert expected == {name: track.own for name, track in tracks(copy).items()}
    assert ["0001.flac"] == external(copy, "id 1")
    assert is_sound(copy)


def test_removal_by_external_id(add: Callable[..., dict[str, Any]], indexer: Indexer) -> None:
    """``external:ID`` names the track; an unknown one is reported."""
    add(line(0), line(1))
    report = run_json("remove", "external:id 0", "external:id 9", "--data", indexer.data)
    assert (1, ["external:id 9"]) == (report["removed"], [each["path"] for each in report["failures"]])
    assert ["", "0001.flac"] == external(indexer, "id 0", "id 1")


def test_a_killed_run(add: Callable[..., dict[str, Any]], indexer: Indexer, music: Path) -> None:
    """The next run writes what is missing."""
    manifest = music.parent / "tracks.jsonl"
    add(line(0), line(1))
    manifest.write_text("\n".join(json.dumps(line(number, title="New")) for number in range(4)))
    killed_at("before-commit:1", indexer.command("--manifest", manifest))
    assert (2, 2, 0, 2, 0) == counts(indexer.report("--manifest", manifest))
    assert {"New"} == {track.own.title for track in tracks(indexer).values()}
    assert is_sound(indexer)


def test_what_would_be_done(add: Callable[..., dict[str, Any]], indexer: Indexer) -> None:
    """A dry run counts the same, and changes nothing."""
    add(line(0), line(1))
    report = add(line(0, title="New"), line(1), line(2), "{", options=("--dry-run",))
    assert (1, 1, 1, 1) == tuple(report[name] for name in ("added", "updated", "unchanged", "failed"))
    assert ["", ""] == [tracks(indexer)["0000.flac"].own.title, *external(indexer, "id 2")]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("--manifest", "{folder}/no.jsonl"), 2, "does not exist"),
        (("--manifest", "{folder}/empty.jsonl"), 1, "has no line with a file"),
        (("--manifest", "{folder}/empty.csv"), 1, "has no column path"),
        (("--manifest", "{folder}/header.csv"), 1, "Write a row with a path for each file, below the header."),
        (("--manifest", "{folder}/pipe.jsonl"), 1, "Write the lines to a file"),
        (("--manifest", "{folder}/full.jsonl", "{folder}/music"), 2, "either files and folders, or --manifest"),
        ((), 2, "either files and folders, or --manifest"),
    ],
)
def test_wrong_command_lines(music: Path, arguments: tuple[str, ...], code: int, problem: str) -> None:
    """The message says what is wrong before a catalogue is created."""
    folder = music.parent
    for name in ("empty.jsonl", "empty.csv"):
        (folder / name).touch()
    (folder / "header.csv").write_text("path,title\n")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "full.jsonl").write_text('{"path": "music/0000.flac"}')
    ended = run("add", *(argument.format(folder=folder) for argument in arguments), "--data", folder / "new")
    assert code == ended.exit_code
    assert problem in ended.output
    assert not (folder / "new").exists()
