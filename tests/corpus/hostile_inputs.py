"""Inputs that no honest caller sends: damaged files of every format, bombs, and files that name other files."""

from __future__ import annotations

import gzip
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import soundfile

from segue.core.testing.synthetic_clips import render_clip
from tests.corpus.documents import Targets, avi_with_playlist, document, mov_with_reference
from tests.corpus.recipes import Recipe
from tests.corpus.rendering import write_cover, write_rendition
from tests.load.hostile import (
    bomb,
    cut_off,
    empty_chunks,
    flipped_bits,
    long_tags,
    noise,
    not_numbers,
    spliced,
    without_beginning,
)

_SECONDS = 6.0
_EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80")
_HEADER_BYTES = (64, 256, 1_024, 4_096)


def write_clips(recipes: Sequence[Recipe]) -> dict[str, bytes]:
    """Returns a rendered clip in each format, by a name that is a file name."""
    clips = {}
    with tempfile.TemporaryDirectory() as scratch:
        wav = Path(scratch) / "original.wav"
        soundfile.write(wav, render_clip(3, _SECONDS, 44_100), 44_100)
        cover = write_cover(Path(scratch) / "cover.png", side=64)
        for number, recipe in enumerate(recipes):
            folder = Path(tempfile.mkdtemp(dir=scratch))
            clips[f"{number:02}.{recipe.suffix}"] = write_rendition(recipe, wav, cover, folder).read_bytes()
    return clips


def hostile_inputs(clips: dict[str, bytes], targets: Targets, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yields hostile inputs with their descriptions; the same seed gives the same inputs.

    Args:
        clips: clips to damage, by name.
        targets: a song and a port that documents name.
        count: number of inputs.
        seed: seed of the random choices.
    """
    names = sorted(clips)
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        name, other = names[number % len(names)], rng.choice(names)
        kind = rng.choice(_KINDS)
        yield f"{kind.__name__} {number} of {name}", kind(clips[name], clips[other], targets, rng)


def damaged_header(clip: bytes, _other: bytes, _targets: Targets, rng: random.Random) -> bytes:
    """Overwrites, inserts and deletes bytes and numbers at the beginning."""
    damaged = bytearray(clip)
    stop = min(len(damaged), rng.choice(_HEADER_BYTES))
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        position, bytes_of_noise = rng.randrange(stop), rng.randbytes(rng.randrange(1, 40))
        extreme = rng.choice(_EXTREMES)
        start, length, value = rng.choice(
            [
                (position, 1, bytes_of_noise[:1]),
                (position, 4, extreme),
                (position // 4 * 4, 4, extreme),
                (position, 0, bytes_of_noise),
                (position, len(bytes_of_noise), b""),
            ]
        )
        damaged[start : start + length] = value
    return bytes(damaged)


def damaged_body(clip: bytes, _other: bytes, _targets: Targets, rng: random.Random) -> bytes:
    """Makes holes, and inserts and deletes bytes anywhere."""
    damaged = bytearray(clip)
    for _ in range(rng.choice([1, 3, 20, 200])):
        position, length = rng.randrange(len(damaged)), rng.randrange(1, 5_000)
        stop = min(position + length, len(damaged))
        damaged[position:stop] = rng.choice([bytes(stop - position), rng.randbytes(stop - position), b""])
        damaged = damaged or bytearray(b"\0")
    return bytes(damaged)


def crossed(clip: bytes, other: bytes, _targets: Targets, rng: random.Random) -> bytes:
    """Returns the beginning of one format and the end of another."""
    return clip[: rng.choice([4, 12, 44, 512, 5_000])] + other[rng.choice([0, 4, 12, 44, 512]) :]


def one_damage(clip: bytes, _other: bytes, _targets: Targets, rng: random.Random) -> bytes:
    """Returns an input of the load tests."""
    damages = (flipped_bits, cut_off, without_beginning, noise, spliced, bomb, not_numbers, empty_chunks, long_tags)
    return rng.choice(damages)(clip, rng)


def reference(_clip: bytes, _other: bytes, targets: Targets, rng: random.Random) -> bytes:
    """Returns a document or a container that names another file."""
    return rng.choice([document, document, avi_with_playlist, mov_with_reference])(targets, rng)


def reference_and_clip(clip: bytes, _other: bytes, targets: Targets, rng: random.Random) -> bytes:
    """Returns a document behind the beginning of a clip, or in front of a clip."""
    parts = [clip[: rng.choice([4, 16, 64, 1_024])], document(targets, rng)]
    return b"".join(parts) if rng.random() < 0.5 else parts[1] + clip


def compressed(clip: bytes, _other: bytes, _targets: Targets, rng: random.Random) -> bytes:
    """Returns a clip, or megabytes of zeros, as gzip."""
    return gzip.compress(rng.choice([clip, bytes(20_000_000)]), mtime=0)


_KINDS = (
    *(damaged_header,) * 8,
    *(damaged_body,) * 3,
    *(crossed,) * 2,
    *(one_damage,) * 3,
    *(reference,) * 3,
    reference_and_clip,
    compressed,
)
