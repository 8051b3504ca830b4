"""Files that players play although their headers are wrong, unfinished or damaged."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest

from segue.core.audio.containers import id3_end
from segue.core.audio.quality import Flag
from segue.core.errors import AudioError, AudioTooShort
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import decode, encode, encode_by_ffmpeg, needs_ffmpeg, run_ffmpeg
from tests.helpers.extraction import check, extract_any

CLIP = render_clip(3, 12.0)
WAV = encode(CLIP)
PCM = WAV[44:]
FLAC = encode(CLIP, container="FLAC")
MP3 = encode(CLIP, container="MP3")


def wav(declared: int, riff: int, samples: bytes = PCM) -> bytes:
    """Returns a WAV file with these lengths in its header."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 22_050, 44_100, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + fmt + struct.pack("<4sI", b"data", declared)
    return head + samples


# What recorders, players and converters write when they cannot go back to the header.
STREAMED_WAVS = {
    "zero": wav(0, 36),
    "0x0fffffff": wav(0x0FFFFFFF, 0x0FFFFFFF),
    "0x7ffff000": wav(0x7FFFF000, 0x7FFFF024),
    "0x7fffffff - 36": wav(0x7FFFFFFF - 36, 0x7FFFFFFF),
    "0x80000000": wav(0x80000000, 0x80000024),
    "0xffffffff - 36": wav(0xFFFFFFFF - 36, 0xFFFFFFFF),
    "0xffffffff": wav(0xFFFFFFFF, 0xFFFFFFFF),
}


@pytest.mark.parametrize("name", STREAMED_WAVS)
@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_a_wav_of_unknown_length(name: str, as_file: bool, tmp_path: Path) -> None:
    """All samples are decoded, and the file is left as it is."""
    path = tmp_path / "clip.wav"
    path.write_bytes(STREAMED_WAVS[name])
    check(path if as_file else STREAMED_WAVS[name], 12.0)
    assert STREAMED_WAVS[name] == path.read_bytes()


def test_an_empty_wav_with_chunks_behind_it() -> None:
    """The chunks behind an empty data chunk are not taken for samples."""
    with pytest.raises(AudioTooShort, match="no samples"):
        decode(wav(0, 36 + 88_208, struct.pack("<4sI", b"LIST", 88_200) + bytes(88_200)))


def rf64(samples_bytes: int) -> bytes:
    """Returns an RF64 file with this length in its header."""
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, samples_bytes and samples_bytes + 72, samples_bytes, 0, 0)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 22_050, 44_100, 2, 16)
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + fmt + b"data\xff\xff\xff\xff" + PCM


@pytest.mark.parametrize("length", [0, len(PCM), 2**40])
def test_an_rf64_of_any_length(length: int) -> None:
    """All samples are decoded, whatever the header says."""
    check(rf64(length), 12.0)


@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_a_wave64_of_unknown_length(as_file: bool, tmp_path: Path) -> None:
    """All samples are decoded, as of a WAV."""
    w64 = encode(CLIP, container="W64")
    position = w64.index(b"data\xf3\xac\xd3\x11") + 16
    audio = w64[:position] + struct.pack("<q", 2**63 - 1) + w64[position + 8 :]
    path = tmp_path / "clip.w64"
    path.write_bytes(audio)
    check(path if as_file else audio, 12.0)


def test_an_au_of_unknown_length() -> None:
    """A length of 0 means an unknown one."""
    au = encode(CLIP, container="AU")
    check(au[:8] + bytes(4) + au[12:], 12.0)


@pytest.mark.parametrize("container", ["WAV", "AU", "AIFF", "FLAC", "MP3"])
def test_a_truncated_file(container: str) -> None:
    """Half a file gives half the windows, and a flag."""
    whole = encode(CLIP, container=container)
    clip = extract_any(whole[: len(whole) // 2])
    assert pytest.approx(6, abs=0.7) == clip.seconds
    assert Flag.TRUNCATED in clip.quality.flags


@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3"])
def test_a_truncated_long_file(container: str) -> None:
    """The windows are spread over the part that is there, not over the length in the header."""
    whole = encode(render_clip(1, 90.0), container=container)
    clip = extract_any(whole[: len(whole) // 3])
    assert pytest.approx(30, abs=5) == clip.seconds
    assert (10, 0) == (len(clip.windows.values), clip.windows.silent)
    assert Flag.TRUNCATED in clip.quality.flags


@pytest.mark.parametrize("more", [1, 8, 44, 40_000])
def test_a_header_that_promises_a_little_more(more: int) -> None:
    """Less than a second that is missing is not worth a flag."""
    check(wav(len(PCM) + more, len(PCM) + 36 + more), 12.0)


def test_a_header_that_promises_much_more() -> None:
    """More than a second that is missing is flagged."""
    check(wav(len(PCM) + 88_200, len(PCM) + 36 + 88_200), 12.0, Flag.TRUNCATED)


ID3 = b"ID3\3\0\0" + bytes([0, 0, 0, 16]) + b"TIT2" + struct.pack(">IH", 6, 0) + b"\0Title"
FRAMES = MP3[id3_end(memoryview(MP3)) :]
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 49, 1, 0xA0000000) + bytes(8)
APE += struct.pack("<II", 3, 0) + b"Title\0abc" + b"APETAGEX" + struct.pack("<IIII", 2000, 49, 1, 0x80000000) + bytes(8)
IN_FRONT = {
    "a zero": b"\0",
    "zeros": bytes(1_000),
    "padding behind a tag": ID3 + bytes(100),
    "two tags and padding": ID3 + ID3 + bytes(300),
    "an APE tag": APE,
}


@pytest.mark.parametrize("name", IN_FRONT)
def test_an_mp3_with_something_in_front(name: str) -> None:
    """The first frame is searched."""
    check(IN_FRONT[name] + FRAMES, 12.0)


def test_an_mp3_from_the_middle_of_a_frame() -> None:
    """A radio stream that is joined in the middle begins with half a frame."""
    check(FRAMES[500:], 12.0, tolerance=0.3)


@needs_ffmpeg
def test_an_mp3_of_variable_rate_without_its_length(tmp_path: Path) -> None:
    """The frames are counted: the first ones, which are small, say nothing about the rest."""
    quiet_start = np.concatenate([1e-3 * CLIP[: 4 * 22_050], np.tile(CLIP, 8)])
    path = encode_by_ffmpeg(quiet_start, 22_050, tmp_path / "clip.mp3", "-q:a", "4", "-write_xing", "0")
    clip = extract_any(path)
    assert pytest.approx(100, abs=0.2) == clip.seconds
    assert clip.windows.starts[-1] > 80


@pytest.mark.parametrize("hole", [bytes(3_000), np.random.default_rng(1).bytes(3_000)], ids=["zeros", "noise"])
@pytest.mark.parametrize("container", ["MP3", "FLAC"])
def test_a_hole_in_a_file(container: str, hole: bytes) -> None:
    """The audio on both sides of the hole is decoded, and flagged."""
    whole = encode(CLIP, container=container)
    middle = len(whole) // 2
    damaged = whole[:middle] + hole + whole[middle + len(hole) :]
    check(damaged, 12.0, Flag.DAMAGED, tolerance=0.8)


def test_a_flac_without_its_length() -> None:
    """A FLAC that was written to a pipe is decoded until it ends."""
    streaminfo = 8
    position = streaminfo + 13  # the low 4 bits of this byte and the next 4 bytes are the number of samples
    piped = FLAC[:position] + bytes([FLAC[position] & 0xF0]) + bytes(4) + FLAC[position + 5 :]
    check(piped, 12.0)


def flac_with(*blocks: tuple[int, bytes], junk: bytes = b"") -> bytes:
    """Returns a FLAC file with these metadata blocks, by type and content, behind the first."""
    info, position, is_last = FLAC[8:42], 4, False
    while not is_last:
        is_last = bool(FLAC[position] & 128)
        position += 4 + int.from_bytes(FLAC[position + 1 : position + 4], "big")
    everything = [(0, info), *blocks]
    out = b"fLaC"
    for number, (kind, body) in enumerate(everything):
        last = 128 if number == len(everything) - 1 else 0
        out += bytes([kind | last]) + len(body).to_bytes(3, "big") + body
    return out + junk + FLAC[position:]


def picture(length: int) -> bytes:
    """Returns a picture block of 300 bytes that says it has ``length``."""
    return struct.pack(">II", 3, 10) + b"image/jpeg" + bytes(20) + struct.pack(">I", length) + b"abc" * 100


BROKEN_METADATA = {
    "a picture that says too much": flac_with((6, picture(5_000))),
    "a picture that says too little": flac_with((6, picture(10))),
    "a comment that says too much": flac_with((4, struct.pack("<I", 1) + b"x" + struct.pack("<II", 1, 500) + b"A=B")),
    "a seek table of 17 bytes": flac_with((3, bytes(17))),
    "junk in front of the frames": flac_with((1, b""), junk=bytes(5_000)),
}


@pytest.mark.parametrize("name", BROKEN_METADATA)
def test_a_flac_with_broken_metadata(name: str) -> None:
    """Broken metadata costs no audio."""
    check(BROKEN_METADATA[name], 12.0)


@needs_ffmpeg
@pytest.mark.parametrize("kind", [4, 6], ids=["comments", "picture"])
def test_a_flac_with_empty_metadata(kind: int) -> None:
    """An empty block stops both other decoders, but not ffmpeg."""
    check(flac_with((kind, b"")), 12.0)


@needs_ffmpeg
@pytest.mark.parametrize(
    "tag",
    [
        "title=Audio: broken",
        "comment=Audio: 8000 Hz, mono, old tape",
        "title=Duration: 99:99:99.99",
        "title=No Such File",
        "title=Invalid data found",
    ],
)
def test_a_tag_that_looks_like_output_of_ffmpeg(tag: str, tmp_path: Path) -> None:
    """Nothing that ffmpeg prints is read."""
    check(encode_by_ffmpeg(CLIP, 22_050, tmp_path / "clip.m4a", "-metadata", tag), 12.0)


@needs_ffmpeg
@pytest.mark.parametrize(
    "suffix", ["m4a", "wv", "tta", "ac3", "webm", "w64", "caf", "mp2", "mka", "wma", "aac", "avi", "ts"]
)
def test_other_containers(suffix: str, tmp_path: Path) -> None:
    """Every container that holds all of its audio itself is decoded."""
    check(encode_by_ffmpeg(CLIP, 22_050, tmp_path / f"clip.{suffix}", "-ar", "48000"), 12.0)


@needs_ffmpeg
def test_a_damaged_cover(tmp_path: Path) -> None:
    """A cover that cannot be decoded is no damage of the audio."""
    plain, cover, both = (tmp_path / name for name in ("plain.m4a", "cover.jpg", "both.m4a"))
    encode_by_ffmpeg(CLIP, 22_050, plain)
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", "1", cover)
    run_ffmpeg("-i", plain, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", both)
    picture_bytes = cover.read_bytes()
    content = both.read_bytes().replace(picture_bytes[:100], picture_bytes[:4] + bytes(96))
    check(content, 12.0)


def test_a_flac_with_a_sample_rate_of_0() -> None:
    """A damaged header is an error of the file, not of the program."""
    position = 18  # 20 bits of sample rate, then channels and depth
    damaged = FLAC[:position] + bytes([0, 0, FLAC[position + 2] & 0x0F]) + FLAC[position + 3 :]
    with contextlib.suppress(AudioError):
        decode(damaged)
