from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from segue.core.audio.samples import Samples
from segue.core.catalogue.records import Track
from segue.core.index.snapshot import load_newest
from segue.core.model.artifact import read_manifest
from segue.core.testing.synthetic_clips import STYLES, render_clip
from tests.helpers.indexer import Indexer, run

BAD = {
    "cut off.wav": "AUDIO_TOO_SHORT",
    "empty.flac": "AUDIO_UNDECODABLE",
    "nan.wav": "AUDIO_UNDECODABLE",
    "short.wav": "AUDIO_TOO_SHORT",
    "silent.wav": "AUDIO_SILENT",
    "text.wav": "AUDIO_UNDECODABLE",
}
# Eight files, among them a copy and a retagged copy of one other; and four more that a test changes.
GOOD_FILES, TRACKS, OTHERS = 8, 6, 4


@dataclass(frozen=True)
class Indexed:
    """Music that was indexed once, and the output of the indexer."""

    indexer: Indexer
    music: Path
    others: Path
    output: subprocess.CompletedProcess[str]

    @property
    def report(self) -> dict[str, Any]:
        """The JSON document."""
        document: dict[str, Any] = json.loads(self.output.stdout)
        return document


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Indexed:
    """Good and bad files of many kinds, indexed once."""
    folder = tmp_path_factory.mktemp("library")
    music, others = folder / "music", folder / "others"
    _write_good(music / "albums")
    _write_bad(music)
    _write_others(others)
    indexer = Indexer(folder / "data", tiny_model)
    return Indexed(indexer, music, others, indexer.add(music, others, "--json"))


def _write_good(folder: Path) -> None:
    folder.mkdir(parents=True)
    soundfile.write(folder / "stereo.wav", _stereo(render_clip(1, 4.0, rate=48_000)), 48_000, subtype="PCM_24")
    (folder / "..Hits").mkdir()
    soundfile.write(folder / "..Hits" / "...old.au", render_clip(2, 4.0, rate=8_000), 8_000)
    soundfile.write(folder / "clip.ogg", render_clip(3, 4.0), 22_050)
    soundfile.write(folder / "clip.opus", render_clip(4, 4.0, rate=48_000), 48_000, format="OGG", subtype="OPUS")
    # Longer than a minute: only sections of it are decoded.
    soundfile.write(folder / "long.mp3", _stereo(np.tile(render_clip(5, 7.0, rate=44_100), 10)), 44_100)
    _write_tagged(folder / "tagged.flac", "A title", style=6)
    shutil.copy(folder / "tagged.flac", folder / os.fsdecode(b"tagged \xff.flac"))
    _write_tagged(folder / "tagged once more.flac", "A title", style=6, album="Another album")


def _write_others(folder: Path) -> None:
    folder.mkdir()
    _write_tagged(folder / "retagged.flac", "A title", style=7)
    for name, style in (("replaced.wav", 8), ("moved.wav", 9), ("kept.wav", 0)):
        soundfile.write(folder / name, render_clip(style, 4.0, seed=1), 22_050)


def _write_tagged(path: Path, title: str, style: int, album: str = "Some album") -> None:
    with soundfile.SoundFile(path, "w", 22_050, 1) as file:
        file.title, file.artist, file.album, file.genre, file.date = title, "Someone", album, "Polka", "1959"
        file.write(render_clip(style, 4.0))


def _write_bad(folder: Path) -> None:
    whole = (folder / "albums" / "stereo.wav").read_bytes()
    (folder / "cut off.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.flac").touch()
    (folder / "text.wav").write_text("no music", encoding="ascii")
    soundfile.write(folder / "nan.wav", np.full(100_000, np.nan, np.float32), 22_050, subtype="FLOAT")
    soundfile.write(folder / "short.wav", render_clip(0, 0.5), 22_050)
    soundfile.write(folder / "silent.wav", np.zeros(100_000, np.float32), 22_050)
    (folder / "notes.txt").write_text("no music", encoding="ascii")
    (folder / "album.cue").write_text('FILE "silent.wav" WAVE', encoding="ascii")
    (folder / "._mono.wav").write_bytes(b"\x00\x05\x16\x07")
    (folder / "#recycle").mkdir()
    shutil.copy(folder / "short.wav", folder / "#recycle" / "deleted.wav")


def _stereo(samples: Samples) -> Samples:
    return np.stack([samples, samples], axis=1)


def _track(indexer: Indexer, path: Path) -> Track:
    with indexer.store() as store:
        (record,) = store.files([str(path)])
        assert record is not None
        (track,) = store.get([record.track_id])
        assert track is not None
        return track


def test_a_library_is_added(indexed: Indexed) -> None:
    """Good files of every kind become tracks, and bad ones are reported with their reasons."""
    report = indexed.report

    assert BAD == {Path(failure["path"]).name: failure["reason"] for failure in report["failures"]}
    assert all(failure["message"].endswith(".") for failure in report["failures"])
    assert (GOOD_FILES + OTHERS, 0, len(BAD)) == (report["added"], report["unchanged"], report["failed"])
    assert (GOOD_FILES + OTHERS, TRACKS + OTHERS) == (report["decoded"], report["tracks"])
    assert 0 == indexed.output.returncode


def test_what_is_left_out_is_counted(indexed: Indexed) -> None:
    """The document has each reason, with the endings of the files and the names of the folders."""
    assert {
        "not_music": {".txt": 1, ".cue": 1},
        "needs_ffmpeg": {},
        "resource_fork": 1,
        "system_folder": {"#recycle": 1},
        "not_a_file": 0,
        "linked": 0,
    } == {**indexed.report["left_out"]}


def test_names_may_begin_with_dots(indexed: Indexed) -> None:
    """A song of such an album is a track."""
    assert "...old" == _track(indexed.indexer, indexed.music / "albums" / "..Hits" / "...old.au").title


def test_libraries_print_nothing(indexed: Indexed) -> None:
    """Stderr has only progress: TensorFlow and the decoders are silent."""
    assert [] == [line for line in indexed.output.stderr.splitlines() if not line.startswith('{"done": ')]


def test_a_track_has_all_its_metadata(indexed: Indexed) -> None:
    """Tags, duration, posterior and most probable genre; without tags the title is the file name."""
    albums = indexed.music / "albums"
    track = _track(indexed.indexer, albums / "tagged.flac")

    assert ("A title", "Someone", "Polka", "1959") == (track.title, track.artist, track.tagged_genre, track.year)
    assert 4.0 == track.seconds
    assert {style.name for style in STYLES} == set(track.posterior)
    assert track.genre == max(track.posterior, key=lambda genre: track.posterior[genre])
    assert 1.0 == pytest.approx(sum(track.posterior.values()))
    assert "stereo" == _track(indexed.indexer, albums / "stereo.wav").title
    assert 70.0 == pytest.approx(_track(indexed.indexer, albums / "long.mp3").seconds, abs=0.1)


def test_the_same_audio_is_one_track(indexed: Indexed) -> None:
    """A copy and a retagged copy are files of one track; its tags are those of the last one."""
    albums = indexed.music / "albums"
    paths = [albums / "tagged.flac", albums / "tagged once more.flac", albums / "tagged \\xff.flac"]

    assert 1 == len({_track(indexed.indexer, path).track_id for path in paths})
    assert "Some album" == _track(indexed.indexer, paths[1]).album


def test_the_index_is_published(indexed: Indexed) -> None:
    """The newest snapshot is that of the last event, and has every track."""
    with indexed.indexer.store() as store:
        identity = store.identity()
        assert identity is not None
        assert read_manifest(indexed.indexer.model).model_id == identity.model_id
        snapshot = load_newest(indexed.indexer.data, identity, since=store.revision())
        assert snapshot is not None
        assert store.count() == len(snapshot.index)


def test_a_second_run_opens_nothing(indexed: Indexed) -> None:
    """Files that did not change are not decoded again, whether they were good or failed."""
    second = indexed.indexer.report(indexed.music)

    assert (0, GOOD_FILES, len(BAD), 0) == tuple(second[key] for key in ("added", "unchanged", "skipped", "failed"))
    assert (0, TRACKS + OTHERS) == (second["decoded"], second["tracks"])


def test_changes_update_the_catalogue(indexed: Indexed) -> None:
    """A retagged file updates its track, a replaced file replaces it, and a moved file keeps it."""
    others = indexed.others
    _write_tagged(others / "retagged.flac", "Another title", style=7)
    soundfile.write(others / "replaced.wav", render_clip(8, 4.0, seed=2), 22_050)
    (others / "moved.wav").rename(others / "moved here.wav")

    changed = indexed.indexer.report(others)

    assert (1, 2, 1) == (changed["added"], changed["updated"], changed["unchanged"])
    assert (2, 1, TRACKS + OTHERS) == (changed["decoded"], changed["removed"], changed["tracks"])
    assert "Another title" == _track(indexed.indexer, others / "retagged.flac").title
    assert _track(indexed.indexer, others / "moved.wav") == _track(indexed.indexer, others / "moved here.wav")


def test_the_exit_code_counts_failures(indexed: Indexed) -> None:
    """It is 1 if more files are failed than are allowed, whether they failed in this run or in an earlier one."""
    options = ("--data", indexed.indexer.data, "--model", indexed.indexer.model, "--allow-failures")

    for command in (("retry",), ("add", indexed.music), ("add", indexed.music, "--dry-run")):
        assert [1, 0] == [run(*command, *options, str(len(BAD) - less)).exit_code for less in (1, 0)]
    ended = run("retry", *options, str(len(BAD)))
    assert 0 == ended.exit_code
    assert "0 added, 0 unchanged, 6 failed" in ended.stdout
    assert re.search(rf"failed: {indexed.music}/silent\.wav: .+\. \[AUDIO_SILENT\]\n", ended.stderr)


def test_status_shows_the_catalogue(indexed: Indexed, tmp_path: Path) -> None:
    """The state is printed before and after the first music, for people and for programs."""

    def status_of(data: Path, *options: str) -> str:
        command = [str(Path(sys.executable).parent / "segue-indexer"), "status", "--data", str(data), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "empty" in status_of(tmp_path)
    nothing: dict[str, Any] = dict.fromkeys(("catalogue", "index", "staging", "failures"))
    empty = nothing | {"tracks": 0, "revision": 0, "failed": {}}
    printed = json.loads(status_of(tmp_path, "--json"))
    assert empty | {"redis": printed["redis"]} == printed
    status = json.loads(status_of(indexed.indexer.data, "--json"))
    assert TRACKS + OTHERS == status["tracks"] == status["index"]["tracks"]
    assert {"AUDIO_SILENT": 1, "AUDIO_TOO_SHORT": 2, "AUDIO_UNDECODABLE": 3} == status["failed"]
    text = status_of(indexed.indexer.data, "--failures")
    assert f"tracks     {TRACKS + OTHERS}\n" in text
    assert "failed     3 AUDIO_UNDECODABLE, " in text
    assert re.search(r"20\d\d-\S+ .*short\.wav: .+ \[AUDIO_TOO_SHORT\]\n", text)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with a file that is not opened."""
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").touch()
    return tmp_path / "music"


def test_only_one_indexer_writes(indexer: Indexer, library: Path) -> None:
    """A second one fails with the name of the first, and nothing is decoded."""
    manifest = read_manifest(indexer.model)
    with (
        indexer.store() as store,
        store.writer(*manifest.key),
    ):
        ended = indexer.add(library, "--json")

    assert (1, "CATALOGUE_LOCKED") == (ended.returncode, json.loads(ended.stdout)["error"]["reason"])
    assert f"process {os.getpid()}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_models_catalogue_is_refused(indexer: Indexer, library: Path) -> None:
    """Embeddings of two models cannot be compared; the message names both models."""
    with indexer.store() as store, store.writer("other-1234", "front end", 128):
        pass
    ended = indexer.add(library)

    assert 1 == ended.returncode
    assert "other-1234" in ended.stderr
    assert read_manifest(indexer.model).model_id in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unreachable_redis_is_reported_in_a_sentence(indexer: Indexer, library: Path) -> None:
    """A wrong --redis gives no traceback."""
    ended = indexer.add(library, "--redis", "redis://127.0.0.1:1")

    assert 1 == ended.returncode
    assert "127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_damaged_model_is_reported_in_a_sentence(indexer: Indexer, library: Path, tmp_path: Path) -> None:
    """A model that does not match its manifest is refused before anything is decoded."""
    broken = Indexer(indexer.data, Path(shutil.copytree(indexer.model, tmp_path / "broken")))
    with (broken.model / "saved_model" / "saved_model.pb").open("ab") as file:
        file.write(b"!")
    ended = broken.add(library, "--json")

    assert (1, "ARTIFACT_DAMAGED") == (ended.returncode, json.loads(ended.stdout)["error"]["reason"])
    assert "saved_model.pb" in ended.stderr
    assert "Traceback" not in ended.stderr
