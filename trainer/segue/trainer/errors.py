"""What can go wrong in the trainer alone, under the root of ``segue.core.errors``.

::

    SegueError
    └── TrainingError
        ├── DataUnusable        there is nothing to train on, or nothing to judge by
        ├── RecipeMismatch      an archive's log-mel was made by another recipe
        ├── SplitMismatch       a split is unknown, or does not fit the tracks
        └── TrainingDiverged    the loss is no longer a number
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
