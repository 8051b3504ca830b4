from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.pipeline.examine import Examined, Failure, examine
from segue.indexer.pipeline.tags import Tags, read_tags

CONFIG = FeatureConfig()


def write(path: Path, seconds: float = 4.0, title: str = "") -> Path:
    """Writes a rendered clip, with a title in its tags."""
    with soundfile.SoundFile(path, "w", 22_050, 1) as file:
        if title:
            file.title, file.artist, file.album, file.date = title, "Someone", "Some album", "1959-08-17"
        file.write(render_clip(1, seconds))
    return path


def test_the_work_is_a_pure_function_of_bytes_and_settings(tmp_path: Path) -> None:
    """The same bytes under another name give the same, so that any executor can do the work."""
    first = examine(write(tmp_path / "a.flac"), CONFIG, 10)
    second = examine(Path(shutil.copy(tmp_path / "a.flac", tmp_path / "b.wav")), CONFIG, 10)

    assert isinstance(first, Examined)
    assert pickle.dumps(first) == pickle.dumps(second)


def test_the_windows_are_those_that_everyone_hears(tmp_path: Path) -> None:
    """The indexer hears a clip exactly as the server does."""
    path = write(tmp_path / "a.flac", seconds=10.0)
    examined = examine(path, CONFIG, 10)

    assert isinstance(examined, Examined)
    np.testing.assert_array_equal(extract(path, CONFIG, 10).windows.values, examined.windows.values)
    assert 10.0 == examined.seconds


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "wav"])
def test_tags_are_read_from_the_bytes(tmp_path: Path, kind: str) -> None:
    """Title, artist, album and year come from every kind of file, told by its bytes: endings may lie."""
    written = write(tmp_path / f"a.{kind}", title="A title")
    path = written.rename(tmp_path / "a.snd")

    assert Tags("A title", "Someone", "Some album", year="1959") == read_tags(path)


def test_wild_tags_become_a_line_of_text(tmp_path: Path) -> None:
    """Tags hold line breaks and whole novels; the catalogue takes a short line."""
    path = write(tmp_path / "a.flac", title="A\n title " + "x" * 10_000)

    assert read_tags(path).title.startswith("A title xxx")
    assert len(read_tags(path).title) <= 500


def test_a_file_without_readable_tags_is_still_a_track(tmp_path: Path) -> None:
    """A tag reader that gives up costs the tags and nothing else."""
    path = tmp_path / "a.mp3"
    write(path)
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x20" + b"TIT2\xff\xff\xff\xff" + bytes(24) + path.read_bytes())

    examined = examine(path, CONFIG, 10)

    assert isinstance(examined, Examined)
    assert "" == examined.tags.artist


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("text.wav", b"this is text", "AUDIO_UNDECODABLE"),
        ("empty.wav", b"", "AUDIO_UNDECODABLE"),
        ("photo.wav", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2_000), "AUDIO_UNDECODABLE"),
    ],
)
def test_what_is_no_audio_is_a_failure_with_its_reason(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """A file that cannot be used says why, in a word for programs and a sentence for people."""
    path = tmp_path / name
    path.write_bytes(data)

    failure = examine(path, CONFIG, 10)

    assert isinstance(failure, Failure)
    assert (str(path), reason) == (failure.path, failure.reason)
    assert failure.message.endswith(".")


def test_a_file_that_cannot_be_opened_is_a_failure(tmp_path: Path) -> None:
    """The system's own reason is passed on."""
    failure = examine(tmp_path / "gone.wav", CONFIG, 10)

    assert isinstance(failure, Failure)
    assert "FILE_UNREADABLE" == failure.reason
    assert "No such file" in failure.message


def test_whatever_a_decoder_raises_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no one thought of is a failure of the file, not of the run."""

    def stumble(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("segue.indexer.pipeline.examine.extract", stumble)
    failure = examine(tmp_path / "a.wav", CONFIG, 10)

    assert isinstance(failure, Failure)
    assert "INTERNAL" == failure.reason


@pytest.mark.parametrize(
    ("date", "year"), [("1959", "1959"), ("17.08.1959", "1959"), ("0000-00-00", ""), ("a while ago, 19590817", "")]
)
def test_the_year_of_any_date(tmp_path: Path, date: str, year: str) -> None:
    """Dates are written in many ways; what has no year of four digits has none."""
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 22_050, 1) as file:
        file.date = date
        file.write(render_clip(1, 1.0))

    assert year == read_tags(tmp_path / "a.flac").year
