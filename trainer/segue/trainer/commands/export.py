"""Runs ``segue-trainer export``."""

from __future__ import annotations

from pathlib import Path

from segue.trainer import console
from segue.trainer.export.onnx_twin import add_twin


def export(folder: Path) -> None:
    """Adds the ONNX twin to an artifact.

    Raises:
        SegueError: the folder is no artifact, is damaged, or cannot be written.
    """
    manifest = add_twin(folder)
    console.notify(f"{manifest.model_id} in {folder} runs by ONNX Runtime now, as well as by TensorFlow")
