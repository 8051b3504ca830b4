"""Copies of rendered clips are found; ``python -m tests.corpus.recordings`` compares real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.core.audio.samples import Samples
from segue.core.features.extract import extract
from segue.core.features.fingerprint import Fingerprint, fingerprint
from segue.core.index.copies import find_copies
from segue.core.index.vector_index import HnswIndex, Vectors
from segue.core.model.artifact import read_manifest
from segue.core.paths import default_model
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

RATE = 22_050
CONFIG = read_manifest(default_model()).features
STYLES = (3, 5, 6)  # with drums: the bands between pure tones have only the noise of a codec
SILENCE = np.zeros(round(1.2 * RATE), np.float32)


def copies_of(clip: Samples) -> dict[str, bytes]:
    """Files with the same recording."""
    return {
        "wav": encode(clip, RATE),
        "flac": encode(clip, RATE, "FLAC"),
        "ogg": encode(clip, RATE, "OGG", "VORBIS"),
        "mp3": encode(clip, RATE, "MP3", "MPEG_LAYER_III"),
        "quiet": encode(clip * np.float32(0.5), RATE),
        "late": encode(np.concatenate([SILENCE, clip]), RATE),
        "short": encode(clip[RATE // 20 :], RATE),
    }


def other_recordings(clip: Samples) -> dict[str, bytes]:
    """Files that sound like a recording, but are others."""
    faster = np.interp(np.arange(0, len(clip), 1.05), np.arange(len(clip)), clip).astype(np.float32)
    return {"first half": encode(clip[: len(clip) // 2], RATE), "faster": encode(faster, RATE)}


@pytest.fixture(scope="module")
def fingerprints() -> dict[str, Fingerprint]:
    """The fingerprints of all files, by names that begin with the recording."""
    files: dict[str, bytes] = {}
    for style in STYLES:
        clip = render_clip(style, 21.0)
        files |= {f"{style} {name}": content for name, content in copies_of(clip).items()}
        files |= {f"{style} {name} alone": content for name, content in other_recordings(clip).items()}
    found = {name: fingerprint(extract(content, CONFIG, 10).windows, CONFIG) for name, content in files.items()}
    return {name: known for name, known in found.items() if known is not None}


def mostly_silent(clip: Samples) -> Samples:
    """Returns a clip with sound only in its first and last 0.6 s, as many sound effects have."""
    quiet = clip.copy()
    quiet[round(0.6 * RATE) : -round(0.6 * RATE)] = 0
    return quiet


def near_embeddings(count: int) -> Vectors:
    """Embeddings of length 1 that are all close to each other."""
    vectors = 1 + 0.01 * np.random.default_rng(1).standard_normal((count, 8)).astype(np.float32)
    units: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


def groups(found: dict[str, Fingerprint], vectors: Vectors) -> dict[str, str]:
    """The groups of tracks with these fingerprints and embeddings."""
    index = HnswIndex.build(sorted(found), vectors)
    return find_copies(index, vectors, lambda page: [found[track_id] for track_id in page])


def test_copies_make_groups(fingerprints: dict[str, Fingerprint]) -> None:
    """Each recording is one group; a part of it, and the same at another speed, are not in it."""
    assert 9 * len(STYLES) == len(fingerprints)
    expected = {name: f"{name[0]} flac" for name in fingerprints if not name.endswith("alone")}
    assert expected == groups(fingerprints, near_embeddings(len(fingerprints)))


@pytest.mark.parametrize("seconds", [4.0, 21.0])
def test_silence_is_not_alike(seconds: float) -> None:
    """Different sounds at the same moments are no copies, however much silence they share."""
    clips = {f"{style} {seed}": render_clip(style, seconds, seed=seed) for style in range(10) for seed in range(3)}
    windows = {name: extract(encode(mostly_silent(clip), RATE), CONFIG, 10).windows for name, clip in clips.items()}
    found = {name: known for name, each in windows.items() if (known := fingerprint(each, CONFIG)) is not None}
    assert {} == groups(found, near_embeddings(len(found)))


def test_copies_that_sound_different(fingerprints: dict[str, Fingerprint]) -> None:
    """Only tracks with similar embeddings are compared: they would never be in one list."""
    vectors = np.eye(len(fingerprints), dtype=np.float32)
    assert {} == groups(fingerprints, vectors)


def test_tracks_without_fingerprints(fingerprints: dict[str, Fingerprint]) -> None:
    """They are in no group, as in a catalogue of an earlier version, or without tracks."""
    vectors = near_embeddings(len(fingerprints))
    index = HnswIndex.build(sorted(fingerprints), vectors)
    assert {} == find_copies(index, vectors, lambda page: [None] * len(page))
    assert {} == find_copies(HnswIndex.build([], vectors[:0]), vectors[:0], lambda page: [])
    few = {name: known for name, known in fingerprints.items() if name in ("3 wav", "3 ogg")}
    first = next(iter(few.values()))
    # Names that are read before the others.
    strange = {"0": Fingerprint(np.zeros((2, 4), np.uint32), 1.0, 5.0), "1": replace(first, seconds=np.nan)}
    all_found = {**strange, **few}
    assert dict.fromkeys(["3 ogg", "3 wav"], "3 ogg") == groups(all_found, near_embeddings(len(all_found)))
