"""Edits that keep the size and the time of a file are seen, and only new audio is decoded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.catalogue.records import Addition, Track
from segue.core.catalogue.store import all_track_ids
from segue.core.catalogue.tag_scores import unpack_tag_scores
from segue.core.features.extract import extract
from segue.core.model.artifact import read_manifest
from segue.core.model.load_model import load_model
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.indexer import run

COUNTS = ("added", "updated", "unchanged", "rechecked", "decoded", "failed")
OLD, NEW = b"Old title", b"New title"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with two tagged files: one of samples, whose audio can be edited in place, and a FLAC file."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number, name in enumerate(("a.flac", "b.wav")):
        with soundfile.SoundFile(folder / name, "w", 22_050, 1) as file:
            file.title = OLD.decode()
            file.write(render_clip(number, 4.0))
    return folder


@pytest.fixture
def sync(music: Path, tmp_path: Path, tiny_model: Path) -> Callable[..., tuple[int, ...]]:
    """A function that makes the catalogue match the music, and returns the counts of the run."""

    def sync(*options: str, command: str = "sync") -> tuple[int, ...]:
        where = ("--data", tmp_path / "data", "--model", tiny_model, "--jobs", "1")
        ended = run(command, music, *where, "--json", *options)
        report = json.loads(ended.stdout)
        return tuple(report[name] for name in COUNTS)

    assert (2, 0, 0, 0, 2, 0) == sync()
    return sync


def tracks(data: Path) -> dict[str, Track]:
    """Returns the tracks of a catalogue by the names of their files."""
    with open_store(data) as store:
        return {Path(track.path).name: track for track in store.get(list(all_track_ids(store))) if track}


def edit(path: Path, old: bytes, new: bytes) -> None:
    """Replaces bytes in a file, and restores its time, as `metaflac --preserve-modtime` does."""
    status, data = path.stat(), path.read_bytes()
    assert len(old) == len(new)
    assert old in data
    path.write_bytes(data.replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_tags_that_keep_size_and_time(sync: Callable[..., tuple[int, ...]], music: Path, tmp_path: Path) -> None:
    """They are read without decoding; the next run reads nothing."""
    before = tracks(tmp_path / "data")
    edit(music / "a.flac", OLD, NEW)

    assert (0, 1, 1, 1, 0, 0) == sync()
    assert before | {"a.flac": replace(before["a.flac"], title="New title")} == tracks(tmp_path / "data")
    assert (0, 0, 2, 0, 0, 0) == sync()
    assert 0 == run("verify", "--data", tmp_path / "data").exit_code


def test_tags_of_the_model(music: Path, tmp_path: Path, tagging_model: Path) -> None:
    """They are those that the model predicts, and stay when the tags of the file change."""
    where = ("--data", tmp_path / "data", "--jobs", "1")
    assert 0 == run("add", music, *where, "--model", tagging_model).exit_code
    before = tracks(tmp_path / "data")
    edit(music / "a.flac", OLD, NEW)
    assert 0 == run("sync", music, *where).exit_code

    after, model = tracks(tmp_path / "data"), load_model(tagging_model)
    windows = extract(music / "a.flac", model.manifest.features, model.manifest.windows).windows
    (prediction,) = model.predict([windows])
    scores = unpack_tag_scores(after["a.flac"].tag_scores, model.manifest.tags)
    np.testing.assert_allclose([*scores.values()], np.clip(prediction.tag_scores, 0, 1), atol=0.01)
    assert ("New title", before["a.flac"].tag_scores) == (after["a.flac"].title, after["a.flac"].tag_scores)
    assert after["a.flac"].tag_scores != after["b.wav"].tag_scores
    assert 0 == run("verify", "--data", tmp_path / "data").exit_code


def test_audio_that_keeps_size_and_time(sync: Callable[..., tuple[int, ...]], music: Path, tmp_path: Path) -> None:
    """It is another track, as with `mp3gain -p`."""
    before = tracks(tmp_path / "data")
    samples = (music / "b.wav").read_bytes()[-1_000:]
    edit(music / "b.wav", samples, samples[::-1])

    assert (0, 1, 1, 0, 1, 0) == sync()
    assert before["b.wav"].track_id != tracks(tmp_path / "data")["b.wav"].track_id


def test_a_new_status_is_looked_at_once(sync: Callable[..., tuple[int, ...]], music: Path) -> None:
    """Permissions, links and restored copies change the time of the status, not the music."""
    (music / "a.flac").chmod(0o600)

    assert (0, 0, 2, 1, 0, 0) == sync()
    assert (0, 0, 2, 0, 0, 0) == sync()


@pytest.mark.parametrize("command", ["add", "sync"])
def test_recheck_reads_every_file(
    sync: Callable[..., tuple[int, ...]], music: Path, tmp_path: Path, tiny_model: Path, command: str
) -> None:
    """Catalogues of earlier versions have no time of the status, and get their new fields so."""
    edit(music / "a.flac", OLD, NEW)
    with open_store(tmp_path / "data") as store, store.writer(*read_manifest(tiny_model).key) as writer:
        track = tracks(tmp_path / "data")["a.flac"]
        (record,), (embedding,) = store.files([str(music / "a.flac")]), store.embeddings([track.track_id])
        assert record is not None
        assert embedding is not None
        writer.add([Addition(track, embedding, replace(record, ctime_ns=0))])

    assert (0, 0, 2, 0, 0, 0) == sync(command=command)
    assert (0, 0, 2, 2, 0, 0) == sync("--recheck", "--dry-run", command=command)
    assert (0, 1, 1, 2, 0, 0) == sync("--recheck", command=command)
    assert "New title" == tracks(tmp_path / "data")["a.flac"].title


def test_a_file_that_is_damaged_in_place(sync: Callable[..., tuple[int, ...]], music: Path) -> None:
    """It fails once, and is skipped until it changes; its track stays as it does after other changes."""
    path = music / "b.wav"
    edit(path, path.read_bytes(), bytes(path.stat().st_size))

    assert (0, 0, 1, 0, 0, 1) == sync()
    assert (0, 0, 1, 0, 0, 0) == sync()
