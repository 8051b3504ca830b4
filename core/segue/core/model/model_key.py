"""Identifies the model that embeddings come from."""

from __future__ import annotations

from typing import NamedTuple


class ModelKey(NamedTuple):
    """The properties that embeddings must share to be comparable.

    Attributes:
        model_id: id of the artifact.
        fingerprint: fingerprint of its front end.
        width: width of an embedding.
    """

    model_id: str
    fingerprint: str
    width: int
