"""A run that can be stopped: where its checkpoint lies, what it is of, and what is told when it ends early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from segue.core.model.artifact import MANIFEST, SAVED_MODEL
from segue.trainer.errors import CheckpointError, DataUnusable, TrainingDiverged
from segue.trainer.runs.train_run import FRONT_END, Sides, data_digest
from segue.trainer.training.checkpoint import checkpoint_path
from segue.trainer.training.fit import Course, Watch
from segue.trainer.training.recipes import AnyPlan, Recipe, settings_of

T = TypeVar("T")


def refuse_output(output: Path, *, resume: bool) -> None:
    """Refuses an output that would fail when the training is done, and to begin where an unfinished run lies.

    Raises:
        DataUnusable: the folder holds something else, cannot be replaced, or nothing can be written beside it.
        CheckpointError: a run was stopped there, and this one is not meant to go on from it.
    """
    if output.name in ("", "..") or output.is_mount():
        raise DataUnusable(
            f"{output} cannot be replaced as a whole, as an artifact is. Name a folder within another by --output."
        )
    refuse_unwritable(output)
    # Other programs keep a manifest.json of their own.
    artifact = (output / MANIFEST).is_file() and (output / SAVED_MODEL).is_dir()
    if output.is_dir() and any(output.iterdir()) and not artifact:
        raise DataUnusable(f"{output} holds something that is not an artifact. Name another folder by --output.")
    if checkpoint_path(output).exists() and not resume:
        raise CheckpointError(
            f"A run was stopped before its end, and {checkpoint_path(output)} has its best epoch. Go on with --resume, "
            "or remove that file to start anew."
        )


def refuse_unwritable(output: Path) -> None:
    """Tries to make a folder where an output will be made, as far as its own folders stand.

    Raises:
        DataUnusable: nothing can be made there.
    """
    beside = next(parent for parent in output.absolute().parents if parent.exists())
    try:
        with TemporaryDirectory(prefix=f".{output.name}-", dir=beside):
            pass
    except OSError as error:
        raise DataUnusable(
            f"Nothing can be written to {output}: {error.strerror or error}. Name another place."
        ) from error


def identity_of(sides: Sides, recipe: Recipe, plan: AnyPlan) -> dict[str, Any]:
    """What a run is of: a checkpoint of anything else is refused."""
    return {
        "network": recipe.name,
        "genres": list(sides.labels),
        "split": sides.split.digest,
        "clips": data_digest(sides),
        "front end": FRONT_END.fingerprint,
        **settings_of(plan),
    }


def keep_going(output: Path, course: Course, work: Callable[[Course], T], tell: Callable[[str], None]) -> T:
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

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.epoch: int | str = "that it went on from"

    def __call__(self, epoch: int, figures: Any) -> None:  # noqa: ANN401 - passed on
        self.epoch = epoch
        self._watch(epoch, figures)
