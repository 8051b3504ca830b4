"""Imports TensorFlow with oneDNN and without Keras, which takes nearly half of the time and is needed only to train."""

from __future__ import annotations

import os
import platform
from typing import Any

# TensorFlow imports Keras 3 at once, or with this variable the package tf_keras, which is not installed;
# it goes on without either.
_KERAS_CHOICE = "TF_USE_LEGACY_KERAS"
_ONEDNN_CHOICE = "TF_ENABLE_ONEDNN_OPTS"


def enable_onednn() -> None:
    """Makes TensorFlow use oneDNN on x86, unless TF_ENABLE_ONEDNN_OPTS is set; call this before its import.

    By itself it does so only on processors with AVX-512 VNNI. On others, convolutions by Eigen took twice the time.
    """
    if platform.machine() in {"x86_64", "AMD64"}:
        os.environ.setdefault(_ONEDNN_CHOICE, "1")


def import_tensorflow() -> Any:  # noqa: ANN401 - TensorFlow ships no types
    """Returns the module tensorflow. A later ``import keras`` works as ever."""
    enable_onednn()
    chosen = os.environ.get(_KERAS_CHOICE)
    os.environ[_KERAS_CHOICE] = "1"
    try:
        import tensorflow as tf  # noqa: PLC0415 - takes seconds, and a damaged artifact is refused without it

        return tf
    finally:
        os.environ.pop(_KERAS_CHOICE)
        if chosen is not None:
            os.environ[_KERAS_CHOICE] = chosen
