"""What is sent under load: clips of 30 s, real ones where they are at hand, and a catalogue of many tracks."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from segue.core.artifact import Manifest
from segue.core.connect import open_store
from segue.core.features import Samples
from segue.core.render import render_clip
from segue.core.snapshot import publish
from segue.core.store import Addition, PathRecord, Track
from segue.v1 import audio_pb2, classification_service_pb2, recommendation_service_pb2

GTZAN = Path(os.environ.get("SEGUE_GTZAN", Path(__file__).parents[3] / "shared" / "data" / "gtzan"))
_RATE = 22_050


def kind() -> str:
    """Which clips are sent, in a word."""
    return "real" if GTZAN.is_dir() else "rendered"


def small_and_large(folder: Path) -> dict[str, Path]:
    """Serialized requests of 1.3 MB (22,050 Hz, mono) and 5.3 MB (44,100 Hz, stereo), WAV of 16 bits."""
    return {
        "1.3 MB": _message(folder / "small", _samples(), _RATE),
        "5.3 MB": _message(folder / "large", _doubled(), 2 * _RATE),
    }


def large_clip(path: Path) -> Path:
    """The clip of 5.3 MB as a file."""
    path.write_bytes(_audio(_doubled(), 2 * _RATE).content)
    return path


def _doubled() -> Samples:
    """The clip with twice the rate and two channels."""
    samples: Samples = soxr.resample(_samples(), _RATE, 2 * _RATE)
    return np.stack([samples, samples], 1)


def _samples() -> Samples:
    clips = sorted((GTZAN / "audio").glob("*/*.flac"))
    if not clips:
        return render_clip(1, 30, _RATE)
    samples: Samples = soundfile.read(clips[0], dtype="float32")[0]
    return samples[: 30 * _RATE]


def _message(path: Path, samples: Samples, rate: int) -> Path:
    request = classification_service_pb2.ClassifyRequest(audio=_audio(samples, rate))
    path.write_bytes(request.SerializeToString())
    return path


def _audio(samples: Samples, rate: int) -> audio_pb2.Audio:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return audio_pb2.Audio(content=file.getvalue())


def recommend_message(path: Path) -> Path:
    """A serialized request for what is near to the first track."""
    path.write_bytes(recommendation_service_pb2.RecommendRequest(track_id=f"{0:032x}").SerializeToString())
    return path


def recommend_by_clip(path: Path) -> Path:
    """A serialized request for what is near to the small clip."""
    request = recommendation_service_pb2.RecommendRequest(audio=_audio(_samples(), _RATE))
    path.write_bytes(request.SerializeToString())
    return path


def add_tracks(data: Path, redis: str, manifest: Manifest, first: int, count: int) -> None:
    """Writes tracks that nobody ever heard into the catalogue, and publishes a snapshot."""
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
        with store.writer(manifest.model_id, manifest.features.fingerprint, manifest.embedding_width) as writer:
            writer.add(additions)
        publish(data, store)
