"""Runs ``segue-trainer import-backbone``."""

from __future__ import annotations

from segue.trainer import console
from segue.trainer.accurate import weights
from segue.trainer.settings import ImportBackboneSettings


def import_backbone(settings: ImportBackboneSettings) -> None:
    """Extracts MusiCNN's weights from their wheel.

    Raises:
        SegueError: the wheel cannot be used, or nothing can be written to the file.
    """
    weights.import_backbone(settings.backbone, settings.wheel)
    console.notify(f"MusiCNN's weights are in {settings.backbone}")
