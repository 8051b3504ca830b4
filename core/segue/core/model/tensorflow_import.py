"""Imports TensorFlow without Keras, which takes nearly half of the time and is needed only to train."""

from __future__ import annotations

import os
from typing import Any

# TensorFlow imports Keras 3 at once, or with this variable the package tf_keras, which is not installed;
# it goes on without either.
_KERAS_CHOICE = "TF_USE_LEGACY_KERAS"


def import_tensorflow() -> Any:  # noqa: ANN401 - TensorFlow ships no types
    """Returns the module tensorflow. A later ``import keras`` works as ever."""
    chosen = os.environ.get(_KERAS_CHOICE)
    os.environ[_KERAS_CHOICE] = "1"
    try:
        import tensorflow as tf  # noqa: PLC0415 - takes seconds, and a damaged artifact is refused without it

        return tf
    finally:
        os.environ.pop(_KERAS_CHOICE)
        if chosen is not None:
            os.environ[_KERAS_CHOICE] = chosen
