"""Inputs that no honest caller sends: mutated clips, truncated containers, decompression bombs and false headers."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from segue.core.testing.synthetic_clips import render_clip

_FORMS = (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"))
_OPUS_RATE = 48_000


def inputs(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yields hostile inputs with their descriptions; the same seed gives the same inputs."""
    rng = random.Random(seed)
    clips = {subtype: _clip(container, subtype) for container, subtype in _FORMS}
    for number in range(count):
        subtype, clip = rng.choice(list(clips.items()))
        damage = _DAMAGES[number % len(_DAMAGES)]
        yield f"{damage.__name__} of {subtype}, number {number}", damage(clip, rng)


def encoded(samples: NDArray[Any], rate: int, subtype: str = "PCM_16", container: str = "WAV") -> bytes:
    """Returns samples as the bytes of a file, in any format that libsndfile writes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def _clip(container: str, subtype: str) -> bytes:
    rate = _OPUS_RATE if subtype == "OPUS" else 44_100
    return encoded(render_clip(1, 6, rate), rate, subtype, container)


def flipped_bits(clip: bytes, rng: random.Random) -> bytes:
    """Inverts bits anywhere."""
    damaged = bytearray(clip)
    for _ in range(rng.randint(1, 200)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def broken_header(clip: bytes, rng: random.Random) -> bytes:
    """Overwrites bytes of the header, and keeps the sound."""
    damaged = bytearray(clip)
    for position in rng.sample(range(4, 200), 12):
        damaged[position] = rng.randrange(256)
    return bytes(damaged)


def cut_off(clip: bytes, rng: random.Random) -> bytes:
    """Keeps the beginning only."""
    return clip[: rng.randrange(len(clip))]


def without_beginning(clip: bytes, rng: random.Random) -> bytes:
    """Keeps the end only."""
    return clip[rng.randrange(1, len(clip)) :]


def noise(_clip: bytes, rng: random.Random) -> bytes:
    """Returns random bytes, often after a valid magic number."""
    return rng.choice([b"", b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS", b"ID3\4", b"\xff\xfb"]) + rng.randbytes(
        rng.randrange(1, 100_000)
    )


def spliced(clip: bytes, rng: random.Random) -> bytes:
    """Returns parts in another order, some of them twice."""
    cuts = sorted(rng.sample(range(len(clip)), 4))
    parts = [clip[start:stop] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]
    return b"".join(rng.choices(parts, k=6))


def bomb(_clip: bytes, rng: random.Random) -> bytes:
    """Returns hours of silence in few bytes, or a header that claims them."""
    if rng.random() < 0.5:
        return encoded(np.zeros(rng.randint(10, 600) * 8_000, np.int16), 8_000, "PCM_16", "FLAC")
    fields = struct.pack("<HHIIHH", 3, rng.choice([1, 2, 65_535]), rng.choice([1, 44_100, 2**32 - 1]), 2**32 - 1, 4, 32)
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + fields + b"data\xff\xff\xff\xff" + rng.randbytes(50_000)


def not_numbers(_clip: bytes, rng: random.Random) -> bytes:
    """Returns a clip with a sample that is not a number, or far beyond full scale."""
    samples = render_clip(1, 4, 22_050).copy()
    samples[rng.randrange(len(samples))] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
    return encoded(samples, 22_050, "FLOAT")


def empty_chunks(_clip: bytes, rng: random.Random) -> bytes:
    """Returns a container of empty chunks only."""
    return b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"junk", 0) * rng.randrange(1, 200_000)


def long_tags(clip: bytes, rng: random.Random) -> bytes:
    """Puts a tag of megabytes in front of the sound."""
    length = rng.randrange(1, 8 * 2**20)
    size = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + size + bytes(length) + clip


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped_bits,
    broken_header,
    cut_off,
    without_beginning,
    noise,
    spliced,
    bomb,
    not_numbers,
    empty_chunks,
    long_tags,
)
