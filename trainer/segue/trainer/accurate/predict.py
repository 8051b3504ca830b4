"""Predicts tracks from MusiCNN's tags, with the head of an artifact alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segue.core.model.artifact import Manifest
from segue.core.model.trained_model import Model, Prediction
from segue.trainer.accurate.cross_validation import embed
from segue.trainer.accurate.musicnn import FEATURES, LAYER, TAGS
from segue.trainer.arrays import Floats
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predict import collect_predictions, genre_positions
from segue.trainer.evaluation.predictions import Predictions


def predict_tagged(model: Model, tracks: Sequence[TaggedTrack]) -> Predictions:
    """Predicts tracks from their tags, by the signature ``decide`` of a network over tags.

    The predictions have embeddings where the tracks have the layer before the tags.

    Raises:
        DataUnusable: there are no tracks, the network does not have the genre of one, or it is not one over tags.
    """
    manifest = model.manifest
    require_tag_network(
        manifest,
        "With --model, name a network that does, such as segue-accurate, or evaluate this one on audio (--input).",
    )
    genres = genre_positions(manifest.labels, [track.genre for track in tracks])
    served = [track.spread(manifest.windows) for track in tracks]
    predictions = decide_by_tags(model, [track.tags for track in served])
    collected = collect_predictions(model, [track.track for track in tracks], genres, predictions)
    return replace(collected, embedding=embed(tracks, manifest.windows))


def decide_by_tags(model: Model, tags: Sequence[Floats]) -> list[Prediction]:
    """Predicts the genres of clips from the tags [w, 50] of their windows, by a network over tags.

    The embeddings of the predictions are zeros, since they come from another layer.
    """
    return model.decide([np.pad(windows, ((0, 0), (0, LAYER))) for windows in tags])


def require_tag_network(manifest: Manifest, remedy: str) -> None:
    """Checks that a network is one over MusiCNN's tags, with the embedding of docs/adr/0053.

    Args:
        manifest: the network's.
        remedy: the last sentence of the error.

    Raises:
        DataUnusable: it is another one.
    """
    if manifest.features != FEATURES or manifest.feature_width != TAGS + LAYER:
        raise DataUnusable(f"{manifest.model_id} does not decide on MusiCNN's {TAGS} tags and its layer. {remedy}")
