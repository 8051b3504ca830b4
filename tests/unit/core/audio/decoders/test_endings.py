from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.audio.decoders.endings import ENDINGS, FFMPEG_ENDINGS
from segue.core.errors import AudioUndecodable
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode_by_ffmpeg, needs_ffmpeg

# Options with which ffmpeg writes a file of each ending. It cannot write the others.
WRITTEN_BY_FFMPEG = {
    ".3g2": "-c:a aac",
    ".3ga": "-c:a aac -f 3gp",
    ".3gp": "-c:a aac",
    ".ac3": "-c:a ac3",
    ".adts": "-c:a aac -f adts",
    ".asf": "-c:a wmav2 -f asf",
    ".dts": "-c:a dca -strict -2",
    ".dtshd": "-c:a dca -strict -2 -f dts",
    ".eac3": "-c:a eac3",
    ".ec3": "-c:a eac3 -f eac3",
    ".f4a": "-c:a aac -f mp4",
    ".loas": "-c:a aac -f latm",
    ".m4r": "-c:a aac -f ipod",
    ".mlp": "-c:a mlp -strict -2",
    ".spx": "-c:a libspeex -ar 32000 -f ogg",
    ".thd": "-c:a truehd -strict -2 -f truehd",
    ".tta": "-c:a tta",
    ".voc": "-c:a pcm_u8",
    ".weba": "-c:a opus -strict -2 -f webm",
    ".webm": "-c:a opus -strict -2",
    ".wv": "-c:a wavpack",
}
# Endings that need no ffmpeg, although it writes the files here.
DECODED_WITHOUT_FFMPEG = {
    ".bw64": "-f wav -rf64 always",
    ".bwf": "-f wav",
    ".m2a": "-c:a mp2 -f mp2",
    ".mpa": "-c:a mp2 -f mp2",
    ".mpga": "-c:a libmp3lame -f mp3",
}


def write(folder: Path, ending: str, options: str) -> Path:
    """Writes a clip of 4 s by ffmpeg."""
    return encode_by_ffmpeg(render_clip(0, 4.0, rate=44_100), 44_100, folder / f"song{ending}", *options.split())


@needs_ffmpeg
@pytest.mark.parametrize("ending", sorted(WRITTEN_BY_FFMPEG))
def test_files_are_decoded_with_ffmpeg_only(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of such an ending is decoded where ffmpeg is, and only there."""
    path = write(tmp_path, ending, WRITTEN_BY_FFMPEG[ending])

    assert ending in FFMPEG_ENDINGS
    assert 4.0 == pytest.approx(len(decode(path)) / 22_050, abs=0.1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioUndecodable):
        decode(path)


@needs_ffmpeg
@pytest.mark.parametrize("ending", sorted(DECODED_WITHOUT_FFMPEG))
def test_files_are_decoded_without_ffmpeg(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of such an ending is decoded everywhere."""
    path = write(tmp_path, ending, DECODED_WITHOUT_FFMPEG[ending])
    monkeypatch.setenv("PATH", str(tmp_path))

    assert ending in ENDINGS
    assert 4.0 == pytest.approx(len(decode(path)) / 22_050, abs=0.1)


def test_an_ending_needs_ffmpeg_or_does_not() -> None:
    """No ending is in both lists."""
    assert not ENDINGS & FFMPEG_ENDINGS
