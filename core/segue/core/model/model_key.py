"""Identifies the model whose embeddings fit together."""

from __future__ import annotations

from typing import NamedTuple


class ModelKey(NamedTuple):
    """What two embeddings must share to be compared.

    Attributes:
        model_id: id of the artifact.
        fingerprint: fingerprint of its front end.
        width: length of an embedding.
    """

    model_id: str
    fingerprint: str
    width: int
