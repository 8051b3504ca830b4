"""What can go wrong in the trainer alone, under the root of ``segue.core.errors``.

::

    SegueError
    └── TrainingError
        ├── DataUnusable        there is nothing to train on, or nothing to judge by
        ├── RecipeMismatch      an archive's log-mel was made by another recipe
        ├── SplitMismatch       a split is unknown, or does not fit the tracks
        ├── TrainingDiverged    the loss is no longer a number
        ├── BackboneUnusable    the weights of MusiCNN cannot be had or used
        ├── TooLarge            the run would not fit in memory
        └── CheckpointError     a run cannot be kept, or taken up again
            └── CheckpointMismatch  there is no checkpoint of this run
"""

from __future__ import annotations

from segue.core.errors import SegueError


class TrainingError(SegueError):
    """A network cannot be trained or judged."""


class DataUnusable(TrainingError):
    """There is nothing to train on, or nothing to judge by."""

    reason = "DATA_UNUSABLE"


class RecipeMismatch(TrainingError):
    """The log-mel of an archive was made by another recipe than the network's."""

    reason = "RECIPE_MISMATCH"


class SplitMismatch(TrainingError):
    """A split is unknown, or does not fit the tracks."""

    reason = "SPLIT_MISMATCH"


class TrainingDiverged(TrainingError):
    """The loss is no longer a number."""

    reason = "TRAINING_DIVERGED"


class BackboneUnusable(TrainingError):
    """The weights of MusiCNN cannot be had, or are not the ones that are known."""

    reason = "BACKBONE_UNUSABLE"


class TooLarge(TrainingError):
    """The run would not fit in memory."""

    reason = "TOO_LARGE"


class CheckpointError(TrainingError):
    """A run cannot be kept, or taken up again."""

    reason = "CHECKPOINT_FAILED"


class CheckpointMismatch(CheckpointError):
    """There is no checkpoint of this run: none at all, a damaged one, or one of another run."""

    reason = "CHECKPOINT_MISMATCH"
