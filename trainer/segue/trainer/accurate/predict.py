"""Predictions of a network over tags, from tags alone."""

from __future__ import annotations

from collections.abc import Sequence

from segue.core.model.saved_model import Model
from segue.trainer.accurate.musicnn import FEATURES, TAGS
from segue.trainer.accurate.tags import TaggedTrack
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.predict import collect_predictions, genre_positions
from segue.trainer.evaluation.predictions import Predictions


def predict_tagged(model: Model, tagged: Sequence[TaggedTrack]) -> Predictions:
    """Asks the head of a network over tags, its signature ``decide``, about tracks whose tags are known.

    Raises:
        DataUnusable: there are none, one has a genre that the network does not know, or the network is of another kind.
    """
    manifest = model.manifest
    if manifest.features != FEATURES or manifest.feature_width != TAGS:
        raise DataUnusable(
            f"{manifest.model_id} does not decide on MusiCNN's {TAGS} tags. Name one that does by --model, such as "
            "segue-accurate, or judge this one by audio (--input)."
        )
    genres = genre_positions(manifest.labels, [track.genre for track in tagged])
    answers = model.decide([track.spread(manifest.windows) for track in tagged])
    return collect_predictions(model, [track.track for track in tagged], genres, answers)
