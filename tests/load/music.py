"""The inputs of load tests: clips of 30 s, real ones if SEGUE_GTZAN has them, and a catalogue of many tracks."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from google.protobuf import json_format
from google.protobuf.message import Message

from segue.core.audio.samples import Samples
from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.index.publishing import publish
from segue.core.model.artifact import Manifest
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from segue.v1 import audio_pb2, classification_service_pb2, recommendation_service_pb2

GTZAN = Path(os.environ.get("SEGUE_GTZAN", Path(__file__).parents[3] / "shared" / "data" / "gtzan"))
_RATE = 22_050
_SECONDS = 30
CLIPS = 6


def kind() -> str:
    """Returns "real" or "rendered": the kind of the clips."""
    return "real" if GTZAN.is_dir() else "rendered"


def small_and_large(folder: Path) -> dict[str, Path]:
    """Writes Classify requests of 1.3 MB (22,050 Hz, mono) and 5.3 MB (44,100 Hz, stereo), as WAV of 16 bits.

    Returns:
        The files of requests by size; each has several clips.
    """
    clips = _clips()
    return {
        "1.3 MB": _messages(folder / "small.json", (_classify(clip, _RATE) for clip in clips)),
        "5.3 MB": _messages(folder / "large.json", (_classify(_stereo(clip), 2 * _RATE) for clip in clips)),
    }


def large_clip(path: Path) -> Path:
    """Writes a clip of 5.3 MB to a file and returns its path."""
    path.write_bytes(_audio(_stereo(_clips()[0]), 2 * _RATE).content)
    return path


def _clips() -> list[Samples]:
    """Returns clips of different genres."""
    files = sorted((GTZAN / "audio").glob("*/*.flac"))
    if not files:
        return [render_clip(style, _SECONDS, _RATE) for style in range(CLIPS)]
    selected = files[:: max(1, len(files) // CLIPS)][:CLIPS]
    return [soundfile.read(file, _SECONDS * _RATE, dtype="float32")[0] for file in selected]


def _stereo(clip: Samples) -> Samples:
    """Returns the clip at twice the rate, in two channels."""
    doubled: Samples = soxr.resample(clip, _RATE, 2 * _RATE)
    return np.stack([doubled, doubled], 1)


def _messages(path: Path, messages: Iterable[Message]) -> Path:
    """Writes requests to a file, which ghz sends in turn, and returns its path.

    They are in JSON: ghz parses its input as a template, and fails at bytes that look like the beginning of one.
    """
    fields = [json_format.MessageToDict(message, preserving_proto_field_name=True) for message in messages]
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path


def _classify(samples: Samples, rate: int) -> Message:
    return classification_service_pb2.ClassifyRequest(audio=_audio(samples, rate))


def _audio(samples: Samples, rate: int) -> audio_pb2.Audio:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return audio_pb2.Audio(content=file.getvalue())


def recommend_by_id(path: Path) -> Path:
    """Writes Recommend requests for tracks of the catalogue, and returns the path."""
    requests = (recommendation_service_pb2.RecommendRequest(track_id=f"{number:032x}") for number in range(CLIPS))
    return _messages(path, requests)


def recommend_by_clip(path: Path) -> Path:
    """Writes Recommend requests for the small clips, and returns the path."""
    clips = (recommendation_service_pb2.RecommendRequest(audio=_audio(clip, _RATE)) for clip in _clips())
    return _messages(path, clips)


def add_tracks(data: Path, redis: str, manifest: Manifest, first: int, count: int) -> None:
    """Adds tracks with random embeddings to the catalogue, and publishes a snapshot.

    Args:
        data: the folder for the snapshot.
        redis: address of the catalogue.
        manifest: that of the catalogue's model.
        first: number of the first track; its track id is this number in hexadecimal.
        count: number of tracks.
    """
    rng = np.random.default_rng(first)
    vectors = rng.standard_normal((count, manifest.embedding_width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    additions = [
        Addition(
            Track(f"{number:032x}", f"track {number}"), vector, PathRecord(f"{number}.wav", 1, 1, f"{number:032x}")
        )
        for number, vector in enumerate(vectors, first)
    ]
    with open_store(data, redis) as store:
        with store.writer(*manifest.key) as writer:
            writer.add(additions)
        publish(data, store)
