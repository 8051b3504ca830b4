"""The result of analyzing a clip."""

from __future__ import annotations

from typing import NamedTuple

from segue.core.features.clips import ExtractedClip
from segue.core.model.trained_model import Prediction


class AnalyzedClip(NamedTuple):
    """A clip and its prediction.

    Attributes:
        clip: the windows, duration and sound quality of the clip.
        prediction: the output of the model.
        track_id: the track id, or None unless it was requested.
    """

    clip: ExtractedClip
    prediction: Prediction
    track_id: str | None
