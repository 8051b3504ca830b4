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

from segue.core.audio.sources import Samples
from segue.core.catalogue.records import Track
from segue.core.index.snapshot import load_newest
from segue.core.model.artifact import read_manifest
from segue.core.testing.synthetic_clips import STYLES, render_clip
from tests.helpers.indexer import Indexer, run

BAD = {
    "cut off.wav": "AUDIO_UNDECODABLE",
    "empty.flac": "AUDIO_UNDECODABLE",
    "nan.wav": "AUDIO_UNDECODABLE",
    "short.wav": "AUDIO_TOO_SHORT",
    "silent.wav": "AUDIO_SILENT",
    "text.wav": "AUDIO_UNDECODABLE",
}
# Eight files, one of which is another's copy and one its re-tagged copy; and four more that a test changes.
GOOD_FILES, TRACKS, OTHERS = 8, 6, 4


@dataclass(frozen=True)
class Indexed:
    """Music that was indexed once, and what the indexer said of it."""

    indexer: Indexer
    music: Path
    others: Path
    said: subprocess.CompletedProcess[str]

    @property
    def report(self) -> dict[str, Any]:
        """The JSON document."""
        document: dict[str, Any] = json.loads(self.said.stdout)
        return document


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Indexed:
    """Music as people have it, and what they take for music."""
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
    soundfile.write(folder / "old.au", render_clip(2, 4.0, rate=8_000), 8_000)
    soundfile.write(folder / "clip.ogg", render_clip(3, 4.0), 22_050)
    soundfile.write(folder / "clip.opus", render_clip(4, 4.0, rate=48_000), 48_000, format="OGG", subtype="OPUS")
    # Longer than a minute: only pieces of it are decoded.
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
    (folder / "._mono.wav").write_bytes(b"\x00\x05\x16\x07")


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
    """Good files of every kind become tracks, and bad ones are named with their reasons."""
    report = indexed.report

    assert BAD == {Path(failure["path"]).name: failure["reason"] for failure in report["failures"]}
    assert all(failure["message"].endswith(".") for failure in report["failures"])
    assert (GOOD_FILES + OTHERS, 0, len(BAD)) == (report["added"], report["unchanged"], report["failed"])
    assert (GOOD_FILES + OTHERS, TRACKS + OTHERS) == (report["decoded"], report["tracks"])
    assert 1 == indexed.said.returncode


def test_nothing_but_our_own_words_comes_out(indexed: Indexed) -> None:
    """Neither TensorFlow nor a decoder writes between them."""
    assert [] == [line for line in indexed.said.stderr.splitlines() if not line.startswith('{"done": ')]


def test_tracks_hold_what_is_known_of_them(indexed: Indexed) -> None:
    """Tags, length, posterior and its best genre; a file without tags goes by its name."""
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
    """A copy and a re-tagged copy are paths of one track; what the last of them says of it stands."""
    albums = indexed.music / "albums"
    paths = [albums / "tagged.flac", albums / "tagged once more.flac", albums / "tagged \\xff.flac"]

    assert 1 == len({_track(indexed.indexer, path).track_id for path in paths})
    assert "Some album" == _track(indexed.indexer, paths[1]).album


def test_the_index_is_published(indexed: Indexed) -> None:
    """The newest snapshot is of the last event and holds every track."""
    with indexed.indexer.store() as store:
        identity = store.identity()
        assert identity is not None
        assert read_manifest(indexed.indexer.model).model_id == identity.model_id
        snapshot = load_newest(indexed.indexer.data, identity, since=store.revision())
        assert snapshot is not None
        assert store.count() == len(snapshot.index)


def test_a_second_run_opens_nothing(indexed: Indexed) -> None:
    """Files that are as they were are not decoded again, whether they were good or failed."""
    second = indexed.indexer.report(indexed.music)

    assert (0, GOOD_FILES, len(BAD), 0) == tuple(second[key] for key in ("added", "unchanged", "skipped", "failed"))
    assert (0, TRACKS + OTHERS) == (second["decoded"], second["tracks"])


def test_changes_are_followed(indexed: Indexed) -> None:
    """A re-tagged file updates its track, a replaced one replaces it, and a moved one is the same track."""
    others = indexed.others
    _write_tagged(others / "retagged.flac", "Another title", style=7)
    soundfile.write(others / "replaced.wav", render_clip(8, 4.0, seed=2), 22_050)
    (others / "moved.wav").rename(others / "moved here.wav")

    changed = indexed.indexer.report(others)

    assert (1, 2, 1) == (changed["added"], changed["updated"], changed["unchanged"])
    assert (3, 1, TRACKS + OTHERS) == (changed["decoded"], changed["removed"], changed["tracks"])
    assert "Another title" == _track(indexed.indexer, others / "retagged.flac").title
    assert _track(indexed.indexer, others / "moved.wav") == _track(indexed.indexer, others / "moved here.wav")


def test_the_exit_code_tells_of_failures(indexed: Indexed) -> None:
    """Any failure is an error, unless as many were allowed."""
    options = ("--data", indexed.indexer.data, "--model", indexed.indexer.model, "--allow-failures")

    assert 1 == run("retry", *options, str(len(BAD) - 1)).exit_code
    done = run("retry", *options, str(len(BAD)))
    assert 0 == done.exit_code
    assert "0 added, 0 unchanged, 6 failed" in done.stdout
    assert f"failed: {indexed.music / 'silent.wav'}: Nothing can be heard" in done.stderr


def test_status_shows_the_catalogue(indexed: Indexed, tmp_path: Path) -> None:
    """The state is told before and after the first music, for people and for programs."""

    def say(data: Path, *options: str) -> str:
        command = [str(Path(sys.executable).parent / "segue-indexer"), "status", "--data", str(data), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "empty" in say(tmp_path)
    empty: dict[str, Any] = {
        "tracks": 0,
        "revision": 0,
        "catalogue": None,
        "index": None,
        "beside": None,
        "failed": {},
        "failures": None,
    }
    assert empty == json.loads(say(tmp_path, "--json"))
    status = json.loads(say(indexed.indexer.data, "--json"))
    assert TRACKS + OTHERS == status["tracks"] == status["index"]["tracks"]
    assert {"AUDIO_SILENT": 1, "AUDIO_TOO_SHORT": 1, "AUDIO_UNDECODABLE": 4} == status["failed"]
    text = say(indexed.indexer.data, "--failures")
    assert f"tracks     {TRACKS + OTHERS}\n" in text
    assert "failed     4 AUDIO_UNDECODABLE, " in text
    assert re.search(r"20\d\d-\S+ .*short\.wav: .+ \[AUDIO_TOO_SHORT\]\n", text)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with a file that no one gets to open."""
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").touch()
    return tmp_path / "music"


def test_only_one_indexer_writes(indexer: Indexer, library: Path) -> None:
    """A second one is told who holds the catalogue, and nothing is decoded."""
    manifest = read_manifest(indexer.model)
    with (
        indexer.store() as store,
        store.writer(*manifest.key),
    ):
        done = indexer.add(library)

    assert 1 == done.returncode
    assert "is being written by" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_models_catalogue_is_refused(indexer: Indexer, library: Path) -> None:
    """Embeddings of two models cannot be compared; both are named."""
    with indexer.store() as store, store.writer("other-1234", "front end", 128):
        pass
    done = indexer.add(library)

    assert 1 == done.returncode
    assert "other-1234" in done.stderr
    assert read_manifest(indexer.model).model_id in done.stderr
    assert "Traceback" not in done.stderr


def test_a_redis_that_is_not_there_is_a_sentence(indexer: Indexer, library: Path) -> None:
    """A wrong --redis is told without a traceback."""
    done = indexer.add(library, "--redis", "redis://127.0.0.1:1")

    assert 1 == done.returncode
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_model_is_a_sentence(indexer: Indexer, library: Path, tmp_path: Path) -> None:
    """A model that is not the one of its manifest is refused before anything is decoded."""
    broken = Indexer(indexer.data, Path(shutil.copytree(indexer.model, tmp_path / "broken")))
    with (broken.model / "saved_model" / "saved_model.pb").open("ab") as file:
        file.write(b"!")
    done = broken.add(library)

    assert 1 == done.returncode
    assert "is not the file that its manifest names" in done.stderr
    assert "Traceback" not in done.stderr
