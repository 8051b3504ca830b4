"""Tracks without audio for the tests of catalogues."""

from __future__ import annotations

import numpy as np

from segue.core.catalogue.identity import ModelKey
from segue.core.catalogue.records import NO_METADATA, Addition, OwnMetadata, PathRecord, Track, Vector
from segue.core.catalogue.store import WritableStore
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.errors import CatalogueLocked
from segue.core.features.fingerprint import Fingerprint

WIDTH = 16
"""The width of the embeddings, unless a test asks for another."""
MODEL = ModelKey("test-12345678", "test-front-end", WIDTH)
"""The model that the catalogues of the tests belong to: ``store.writer(*MODEL)``."""


def track_id(number: int) -> str:
    """Returns the id of the track with this number; ids sort as their numbers do."""
    return f"{number:032x}"


def embedding(seed: int, width: int = WIDTH) -> Vector:
    """Returns a random vector [width] of length 1, the same for the same seed."""
    vector = np.random.default_rng(seed).standard_normal(width)
    unit: Vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def fingerprint(seed: int) -> Fingerprint:
    """Returns a random fingerprint of five windows, the same for the same seed."""
    words = np.random.default_rng(seed).integers(0, 2**32, (5, 20), np.uint32)
    return Fingerprint(words, step=0.1, seconds=27.0)


def addition(
    number: int,
    path: str | None = None,
    *,
    seed: int | None = None,
    title: str | None = None,
    width: int = WIDTH,
    own: OwnMetadata = NO_METADATA,
) -> Addition:
    """Returns the track with this number, ready to be added to a catalogue.

    Args:
        number: its number, 0 or above.
        path: its file, or None for one of its own in ``/music/0`` or ``/music/1``.
        seed: seed of its embedding, or None for its number.
        title: its title, or None for one that has its number.
        width: width of its embedding.
        own: the owner's metadata of the file.
    """
    path = f"/music/{number % 2}/{number}.flac" if path is None else path
    title = f"Track {number}" if title is None else title
    track = Track(
        track_id(number),
        title,
        genre="blues",
        path=path,
        posterior={"blues": 1.0},
        artists=("A", "B"),
        track_number=3,
        tag_scores=pack_tag_scores(np.array([0.2, 1.0], np.float32), ("80s", "sad")),
        fingerprint=fingerprint(number).to_text(),
    )
    vector = embedding(number if seed is None else seed, width)
    return Addition(track, vector, PathRecord(path, 100, 7, track_id(number), own=own))


def additions(*numbers: int, width: int = WIDTH) -> list[Addition]:
    """Returns the tracks with these numbers, ready to be added to a catalogue."""
    return [addition(number, width=width) for number in numbers]


def can_write(store: WritableStore) -> bool:
    """Adds a track, and returns whether it could: another writer may have the lock."""
    try:
        with store.writer(*MODEL) as writer:
            return writer.add([addition(1)]) == 1
    except CatalogueLocked:
        return False
