from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.pipeline.examine import examine
from segue.indexer.pipeline.records import Examined, Failure, Tags
from segue.indexer.pipeline.tags import read_tags

CONFIG = FeatureConfig()


def write(path: Path, seconds: float = 4.0, title: str = "") -> Path:
    """Writes a rendered clip, with a title in its tags."""
    with soundfile.SoundFile(path, "w", 22_050, 1) as file:
        if title:
            file.title, file.artist, file.album, file.date = title, "Someone", "Some album", "1959-08-17"
        file.write(render_clip(1, seconds))
    return path


def test_the_result_depends_only_on_bytes_and_settings(tmp_path: Path) -> None:
    """The same bytes under another name give the same result, so any executor can do the work."""
    first = examine(write(tmp_path / "a.flac"), CONFIG, 10)
    second = examine(Path(shutil.copy(tmp_path / "a.flac", tmp_path / "b.wav")), CONFIG, 10)

    assert isinstance(first, Examined)
    assert pickle.dumps(first) == pickle.dumps(second)


def test_the_windows_are_those_of_the_server(tmp_path: Path) -> None:
    """The indexer extracts the same windows from a clip as the server."""
    path = write(tmp_path / "a.flac", seconds=10.0)
    examined = examine(path, CONFIG, 10)

    assert isinstance(examined, Examined)
    np.testing.assert_array_equal(extract(path, CONFIG, 10).windows.values, examined.windows.values)
    assert 10.0 == examined.seconds


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "wav"])
def test_tags_are_read_from_the_bytes(tmp_path: Path, kind: str) -> None:
    """Title, artist, album and year are read from every kind of file, whatever its ending."""
    written = write(tmp_path / f"a.{kind}", title="A title")
    path = written.rename(tmp_path / "a.snd")

    assert Tags("A title", "Someone", "Some album", year="1959", artists=("Someone",)) == read_tags(path)


def test_a_tag_becomes_a_short_line_of_text(tmp_path: Path) -> None:
    """Line breaks in a tag become spaces, and a long tag is cut."""
    path = write(tmp_path / "a.flac", title="A\n title " + "x" * 10_000)

    assert read_tags(path).title.startswith("A title xxx")
    assert len(read_tags(path).title) <= 500


def test_a_file_with_damaged_tags_is_still_a_track(tmp_path: Path) -> None:
    """Tags that cannot be read are empty, but the audio is examined."""
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
def test_a_file_without_audio_fails_with_a_reason(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """The failure has a reason for programs and a sentence for people."""
    path = tmp_path / name
    path.write_bytes(data)

    failure = examine(path, CONFIG, 10)

    assert isinstance(failure, Failure)
    assert (str(path), reason) == (failure.path, failure.reason)
    assert failure.message.endswith(".")


def test_a_file_that_cannot_be_opened_is_a_failure(tmp_path: Path) -> None:
    """The message contains the operating system's own."""
    failure = examine(tmp_path / "gone.wav", CONFIG, 10)

    assert isinstance(failure, Failure)
    assert "FILE_UNREADABLE" == failure.reason
    assert "No such file" in failure.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that gives an input/output error when read")
def test_a_disk_that_fails(tmp_path: Path) -> None:
    """An input/output error is no property of the audio: the file is tried again in the next run."""
    failing = tmp_path / "a.flac"
    failing.symlink_to("/proc/self/mem")  # its first page is never mapped
    failure = examine(failing, CONFIG, 10)

    assert isinstance(failure, Failure)
    assert "FILE_UNREADABLE" == failure.reason


def test_an_unexpected_error_costs_one_file(tmp_path: Path) -> None:
    """An exception that is not one of Segue's or the system's is a failure of the file, not of the run."""
    failure = examine(tmp_path / "a\0.wav", CONFIG, 10)  # Python raises ValueError for the null byte

    assert isinstance(failure, Failure)
    assert "INTERNAL" == failure.reason
    assert "ValueError" in failure.message


@pytest.mark.parametrize(
    ("date", "year"), [("1959", "1959"), ("17.08.1959", "1959"), ("0000-00-00", ""), ("a while ago, 19590817", "")]
)
def test_the_year_of_any_date(tmp_path: Path, date: str, year: str) -> None:
    """Dates are written in many ways; a year has four digits, or is empty."""
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 22_050, 1) as file:
        file.date = date
        file.write(render_clip(1, 1.0))

    assert year == read_tags(tmp_path / "a.flac").year
