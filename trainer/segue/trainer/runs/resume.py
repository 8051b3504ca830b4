"""Runs that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import CheckpointMismatch, TrainingDiverged
from segue.trainer.outputs import checkpoint_path, existing_checkpoints, locked_output
from segue.trainer.training.fit import EpochCallback, RunControl
from segue.trainer.training.plans import AnyPlan, plan_to_dict
from segue.trainer.training.recipe import Recipe

T = TypeVar("T")


def run_identity(data: TrainValidSplit, recipe: Recipe, plan: AnyPlan) -> dict[str, Any]:
    """Returns what identifies a run; the checkpoint of another run is refused.

    The settings are apart from the other names, since a plan may have a field of the same name, such as ``clips``.
    """
    return {
        "network": recipe.name,
        "genres": list(data.labels),
        "split": data.split.digest,
        "digest of the clips": data.digest,
        "front end": recipe.front_end.fingerprint,
        "settings": plan_to_dict(plan),
    }


def run_resumable(
    output: Path, control: RunControl, run: Callable[[RunControl], T], notify: Callable[[str], None]
) -> T:
    """Runs with checkpoints next to the output, which are removed when the run is done.

    Args:
        output: folder of the artifact.
        control: reports of the run, without a checkpoint yet.
        run: the run.
        notify: called with the state of an interrupted run.

    Raises:
        KeyboardInterrupt: the run was interrupted.
        TrainingDiverged: the loss is no longer a number.
        CheckpointError: another run is training to the folder, a checkpoint cannot be written, or the one to resume
            from cannot be used.
    """
    path, last = checkpoint_path(output), _LastEpoch(control.on_epoch)
    with locked_output(output):
        try:
            result = run(replace(control, checkpoint=path, on_epoch=last))
        except (KeyboardInterrupt, TrainingDiverged) as interruption:
            notify(_describe_stop(output, last.epoch, can_resume=isinstance(interruption, KeyboardInterrupt)))
            raise
        for checkpoint in existing_checkpoints(output):
            checkpoint.unlink()
    return result


def check_resumed(output: Path, *, by_folds: bool) -> None:
    """Checks that the checkpoints to resume from are those of a run of the same kind.

    Args:
        output: folder of the artifact.
        by_folds: a cross-validation evaluates the network of this run.

    Raises:
        CheckpointMismatch: there is no checkpoint, or the run that wrote them was evaluated otherwise.
    """
    paths = existing_checkpoints(output)
    if not paths:
        raise CheckpointMismatch(
            f"There is no run to resume: {checkpoint_path(output)} does not exist. Leave out --resume and --finish."
        )
    if (paths == [checkpoint_path(output)]) == by_folds:
        files = ", ".join(map(str, paths))
        saved, remedy = ("without", "Give") if by_folds else ("with", "Leave out")
        raise CheckpointMismatch(
            f"The run to resume is one {saved} a cross-validation, unlike this one; its state is in {files}. {remedy} "
            f"--hold-out and the other options of that run, or remove {files} to start again."
        )


def _describe_stop(output: Path, epoch: int | str, *, can_resume: bool) -> str:
    path, paths = checkpoint_path(output), existing_checkpoints(output)
    if not paths:
        return "stopped before the end of the first epoch; nothing was written."
    if paths != [path]:
        place = "the training on all clips" if path in paths else "a fold of the cross-validation"
        files = ", ".join(map(str, paths))
        remedy = f"{files}: continue with --resume." if can_resume else f"remove {files} to start again."
        return f"stopped after epoch {epoch} of {place}; {remedy}"
    options = "Continue with --resume, or write" if can_resume else "Write"
    return f"stopped after epoch {epoch}; {path} has this epoch and the best one. {options} the best one with --finish."


class _LastEpoch:
    """Records the last finished epoch."""

    def __init__(self, on_epoch: EpochCallback) -> None:
        self._on_epoch = on_epoch
        self.epoch: int | str = "of the checkpoint"

    def __call__(self, epoch: int, figures: Mapping[str, float]) -> None:
        self.epoch = epoch
        self._on_epoch(epoch, figures)
