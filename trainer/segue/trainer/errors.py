"""The trainer's own errors, under the root of ``segue.core.errors``.

::

    SegueError
    └── TrainingError
        ├── DataUnusable        there is nothing to train on, or nothing to evaluate on
        ├── RecipeMismatch      the log-mel of an archive was made by another recipe
        ├── SplitMismatch       a split is unknown, or does not match the tracks
        ├── TrainingDiverged    the loss is no longer a number
        ├── BackboneUnusable    MusiCNN's weights cannot be downloaded or used
        ├── TooLarge            the run does not fit in memory
        ├── TwinFailed          the networks of a model cannot be converted to ONNX
        └── CheckpointError     the state of a run cannot be saved or restored
            └── CheckpointMismatch  there is no checkpoint of this run
"""

from __future__ import annotations

from segue.core.errors import SegueError


class TrainingError(SegueError):
    """A network cannot be trained or evaluated."""


class DataUnusable(TrainingError):
    """There is nothing to train on, or nothing to evaluate on."""

    reason = "DATA_UNUSABLE"


class RecipeMismatch(TrainingError):
    """The log-mel of an archive was made by another recipe than the network's."""

    reason = "RECIPE_MISMATCH"


class SplitMismatch(TrainingError):
    """A split is unknown, or does not match the tracks."""

    reason = "SPLIT_MISMATCH"


class TrainingDiverged(TrainingError):
    """The loss is no longer a number."""

    reason = "TRAINING_DIVERGED"


class BackboneUnusable(TrainingError):
    """MusiCNN's weights cannot be downloaded, or are not the known ones."""

    reason = "BACKBONE_UNUSABLE"


class TwinFailed(TrainingError):
    """The networks of a model cannot be converted to ONNX."""

    reason = "TWIN_FAILED"


class TooLarge(TrainingError):
    """The run does not fit in memory."""

    reason = "TOO_LARGE"


class CheckpointError(TrainingError):
    """The state of a run cannot be saved or restored."""

    reason = "CHECKPOINT_FAILED"


class CheckpointMismatch(CheckpointError):
    """There is no checkpoint of this run: it is missing, damaged, or of another run."""

    reason = "CHECKPOINT_MISMATCH"
