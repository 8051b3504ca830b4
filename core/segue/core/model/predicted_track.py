"""The part of a track's record that comes from its sound."""

from __future__ import annotations

from collections.abc import Sequence

from segue.core.catalogue.records import Track
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.features.fingerprint import Fingerprint
from segue.core.model.trained_model import Prediction


def predicted_track(
    track_id: str,
    path: str,
    seconds: float,
    prediction: Prediction,
    found: Fingerprint | None,
    labels: Sequence[str],
    tags: tuple[str, ...],
) -> Track:
    """Returns a track without a title, with what the model and the fingerprint say of its sound.

    Args:
        track_id: its id.
        path: the path in its record.
        seconds: its duration.
        prediction: the output of the model.
        found: its fingerprint, or None if it has none.
        labels: the genres of the model, in the order of the posterior.
        tags: the tags of the model, in the order of their scores.
    """
    posterior = {label: float(share) for label, share in zip(labels, prediction.posterior, strict=True)}
    return Track(
        track_id=track_id,
        title="",
        genre=max(posterior, key=lambda label: posterior[label]),
        seconds=seconds,
        path=path,
        posterior=posterior,
        tag_scores=pack_tag_scores(prediction.tag_scores, tags),
        fingerprint=found.to_text() if found else "",
    )
