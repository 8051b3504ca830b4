"""A run that can be stopped: where its checkpoint lies, what it is of, and what is told when it ends early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from segue.trainer.data.front_end import FRONT_END
from segue.trainer.data.train_valid_split import TrainValidSplit, data_digest
from segue.trainer.errors import TrainingDiverged
from segue.trainer.outputs import checkpoint_path
from segue.trainer.training.fit import EpochCallback, RunControl
from segue.trainer.training.plans import AnyPlan
from segue.trainer.training.recipe import Recipe, settings_of

T = TypeVar("T")


def run_identity(sides: TrainValidSplit, recipe: Recipe, plan: AnyPlan) -> dict[str, Any]:
    """What a run is of: a checkpoint of anything else is refused."""
    return {
        "network": recipe.name,
        "genres": list(sides.labels),
        "split": sides.split.digest,
        "clips": data_digest(sides),
        "front end": FRONT_END.fingerprint,
        **settings_of(plan),
    }


def run_resumable(output: Path, course: RunControl, work: Callable[[RunControl], T], tell: Callable[[str], None]) -> T:
    """Does the work of a run with a checkpoint beside its output, which goes away when the work is done.

    Args:
        output: the artifact's folder.
        course: without a checkpoint yet.
        work: the run.
        tell: what says where things are when the run is stopped.

    Raises:
        KeyboardInterrupt: it was stopped.
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written, or the one to go on from cannot be used.
    """
    path, last = checkpoint_path(output), _Last(course.watch)
    kept = replace(course, checkpoint=path, watch=last)
    try:
        done = work(kept)
    except (KeyboardInterrupt, TrainingDiverged) as stop:
        onward = "Go on with --resume, or write" if isinstance(stop, KeyboardInterrupt) else "Write"
        tell(
            f"stopped after epoch {last.epoch}; {path} has it and the best one. {onward} the best one with --finish."
            if path.exists()
            else "stopped before the first epoch was finished; nothing was written."
        )
        raise
    path.unlink(missing_ok=True)
    return done


class _Last:
    """Remembers the last epoch that was finished."""

    def __init__(self, watch: EpochCallback) -> None:
        self._watch = watch
        self.epoch: int | str = "that it went on from"

    def __call__(self, epoch: int, figures: Any) -> None:  # noqa: ANN401 - passed on
        self.epoch = epoch
        self._watch(epoch, figures)
