from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from segue.core.audio.decode import open_audio
from segue.core.audio.ffmpeg import decode_by_ffmpeg
from segue.core.errors import AudioUndecodable
from segue.core.testing.synthetic_clips import render_clip

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")

_MANIFEST = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static" '
    'mediaPresentationDuration="PT4S"><Period><AdaptationSet contentType="audio"><Representation id="0" '
    'mimeType="audio/mp4" bandwidth="128000"><BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
# Each begins as a container that is sent to ffmpeg, and is a manifest to ffmpeg's own look at it.
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


@pytest.fixture
def other_song(tmp_path: Path) -> Path:
    """A song on the disk of the machine that decodes, which no upload may reach."""
    wav, m4a = tmp_path / "clip.wav", tmp_path / "other.m4a"
    soundfile.write(wav, render_clip(0, 4.0), 22_050)
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, "-c:a", "aac", m4a], check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - the PATH's own
    return m4a


@pytest.mark.parametrize("disguise", _DISGUISES)
def test_an_upload_reaches_no_other_file(disguise: str, other_song: Path) -> None:
    """A manifest that names a song on the disk is refused, whatever container its first bytes imitate."""
    upload = _DISGUISES[disguise] + _MANIFEST.format(path=other_song).encode()
    with pytest.raises(AudioUndecodable), open_audio(upload, 22_050):
        pass


@pytest.mark.parametrize("kind", _PLAYLISTS)
def test_a_playlist_opens_nothing(kind: str, other_song: Path, tmp_path: Path) -> None:
    """No kind of file that names others is opened, also where its name has the ending of a song."""
    path = tmp_path / "song.m4a"
    path.write_text(_PLAYLISTS[kind].format(path=other_song), encoding="utf-8")
    with pytest.raises(AudioUndecodable), decode_by_ffmpeg(path):
        pass


def test_a_song_is_decoded(other_song: Path) -> None:
    """What is a song itself is decoded, at its own rate and with its own channels."""
    with decode_by_ffmpeg(other_song) as stream:
        samples = np.concatenate(list(stream.blocks))
    assert (22_050, 1) == (stream.rate, stream.channels)
    assert abs(len(samples) - 4 * 22_050) < 2_048
    assert 0.4 < np.abs(samples).max() / 2**15 < 0.6


def test_a_name_is_no_option(other_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name looks like an option or an address is opened as the file that it is."""
    monkeypatch.chdir(tmp_path)
    for name in ("-i", "concat:other.m4a|other.m4a", "http:song.m4a"):
        copy = Path(shutil.copy(other_song, name))
        with decode_by_ffmpeg(copy) as stream:
            assert 22_050 == stream.rate
