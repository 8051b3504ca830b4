from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.audio.decoders.clip_file import open_clip_file
from segue.core.audio.decoders.ffmpeg import decode_by_ffmpeg
from segue.core.audio.samples import DecodedStream, DecoderFailed
from segue.core.errors import AudioUndecodable, WorkerDied
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")

_MANIFEST = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static" '
    'mediaPresentationDuration="PT4S"><Period><AdaptationSet contentType="audio"><Representation id="0" '
    'mimeType="audio/mp4" bandwidth="128000"><BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
# Each begins like a container for ffmpeg, which itself recognizes the manifest that follows.
_DISGUISES = {
    "mp4": b"<!--ftypjp2 -->",
    "aac": b"\xff\xf1\x50\x80",
    "asf": b"\x30\x26\xb2\x75",
    "matroska": b"\x1a\x45\xdf\xa3",
}
_PLAYLISTS = {
    "dash": _MANIFEST,
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{path}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {path}\n",
    "data": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ndata:audio/mp4;base64,AAAA\n#EXT-X-ENDLIST\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
}


@contextmanager
def open_stream(path: Path) -> Iterator[DecodedStream]:
    """Opens a file with ffmpeg."""
    with open_clip_file(path) as clip, decode_by_ffmpeg(clip) as stream:
        yield stream


@pytest.fixture
def other_song(tmp_path: Path) -> Path:
    """A song on the disk of this machine, which no upload may read."""
    wav, m4a = tmp_path / "clip.wav", tmp_path / "other.m4a"
    soundfile.write(wav, render_clip(0, 4.0), 22_050)
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, "-c:a", "aac", m4a], check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - the PATH's own
    return m4a


@pytest.mark.parametrize("disguise", _DISGUISES)
def test_an_upload_cannot_read_another_file(disguise: str, other_song: Path) -> None:
    """A manifest that names a song on the disk is refused, with the first bytes of any container."""
    upload = _DISGUISES[disguise] + _MANIFEST.format(path=other_song).encode()
    with pytest.raises(AudioUndecodable):
        decode(upload)


@pytest.mark.parametrize("kind", _PLAYLISTS)
def test_a_playlist_cannot_open_a_file(kind: str, other_song: Path, tmp_path: Path) -> None:
    """A file that names other files is refused, also if it has the suffix of a song."""
    path = tmp_path / "song.m4a"
    path.write_text(_PLAYLISTS[kind].format(path=other_song), encoding="utf-8")
    with pytest.raises(DecoderFailed), open_stream(path):
        pass


def test_a_song_is_decoded(other_song: Path) -> None:
    """A song is decoded with its own rate and channels."""
    with open_stream(other_song) as stream:
        samples = np.concatenate(list(stream.blocks))
    assert (22_050, 1) == (stream.rate, stream.channels)
    assert abs(len(samples) - 4 * 22_050) < 2_048
    assert 0.4 < np.abs(samples).max() < 0.6


def test_a_name_is_not_an_option(other_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name looks like an option or a URL is opened as a file."""
    monkeypatch.chdir(tmp_path)
    for name in ("-i", "concat:other.m4a|other.m4a", "http:song.m4a"):
        copy = Path(shutil.copy(other_song, name))
        with open_stream(copy) as stream:
            assert 22_050 == stream.rate


@pytest.fixture
def short_au(tmp_path: Path) -> Path:
    """A clip of 3.5 s in the format that ffmpeg sends, short enough for a single read."""
    path = tmp_path / "short.au"
    soundfile.write(path, render_clip(0, 3.5)[::4], 5_512, "FLOAT", "BIG")
    return path


def replace_ffmpeg(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Puts a shell script before ffmpeg on the PATH."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


def test_a_short_clip_that_comes_with_its_header(
    short_au: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sample is lost if ffmpeg is quick enough to send header and samples at once."""
    replace_ffmpeg(monkeypatch, tmp_path, f"cat '{short_au}'")
    with open_stream(short_au) as stream:
        samples = np.concatenate(list(stream.blocks))
    expected, _ = soundfile.read(short_au, dtype="float32", always_2d=True)
    assert np.array_equal(expected, samples)


def test_a_killed_ffmpeg_is_no_end_of_the_clip(short_au: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output of a killed ffmpeg is not taken for the whole clip."""
    replace_ffmpeg(monkeypatch, tmp_path, f"head -c 20000 '{short_au}'; kill -9 $$")
    with pytest.raises(WorkerDied, match="killed"), open_stream(short_au) as stream:
        list(stream.blocks)
