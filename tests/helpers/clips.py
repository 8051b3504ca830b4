"""Rendered clips, and what the catalogue holds of a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segue.core.audio.track_id import track_id
from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.catalogue.window_embeddings import WindowEmbeddings, pack_windows
from segue.core.features.extract import extract
from segue.core.model.trained_model import Model
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode

Fill = Callable[[Path, Sequence[Path]], list[str]]
"""Writes clips to the catalogue in a data folder, and returns their ids."""


def wav(seconds: float, gain: float = 1.0, rate: int = 22_050) -> bytes:
    """Returns a rendered clip as the bytes of a WAV file."""
    return encode(gain * render_clip(1, seconds, rate), rate, subtype="FLOAT")


def clip_addition(model: Model, clip: Path, *, keep_windows: bool = False) -> Addition:
    """Returns all that the catalogue holds of a clip."""
    extracted = extract(clip, model.manifest.features, model.manifest.windows)
    (prediction,) = model.predict([extracted.windows], keep_windows=keep_windows)
    kept = prediction.windows
    windows = b"" if kept is None else pack_windows(WindowEmbeddings(extracted.windows.starts, kept))
    clip_id = track_id(memoryview(clip.read_bytes()))
    genre = model.manifest.labels[int(prediction.posterior.argmax())]
    tags = pack_tag_scores(prediction.tag_scores, model.manifest.tags)
    track = Track(clip_id, title=clip.stem, genre=genre, seconds=extracted.seconds, path=str(clip), tag_scores=tags)
    record = PathRecord(str(clip), clip.stat().st_size, clip.stat().st_mtime_ns, clip_id)
    return Addition(track, prediction.embedding, record, windows)
