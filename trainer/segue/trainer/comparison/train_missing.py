"""Trains the networks that a comparison lacks."""

from __future__ import annotations

from pathlib import Path

from segue.core.model.artifact import MANIFEST
from segue.trainer.comparison.runs import Run
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.outputs import checkpoint_path
from segue.trainer.runs.resume import run_identity, run_resumable
from segue.trainer.runs.train_run import train_artifact
from segue.trainer.training.fit import EpochCallback, RunControl
from segue.trainer.training.recipes import RECIPES


def has_model(run: Run, models: Path) -> bool:
    """Returns True if the network of a run, or each one that it joins, was trained."""
    return all((member.folder(models) / MANIFEST).exists() for member in run.members)


def train_missing(run: Run, data: TrainValidSplit, models: Path, on_epoch: EpochCallback) -> None:
    """Trains the network of a run with one member unless it has a model; resumes an interrupted run.

    Args:
        run: the run.
        data: the clips of its split.
        models: folder of all models.
        on_epoch: called after each epoch.

    Raises:
        TrainingError: the network cannot be trained.
    """
    if has_model(run, models):
        return
    output, recipe = run.folder(models), RECIPES[run.network]
    plan = recipe.plan_for(run.seed, None)
    options = f"--split {run.split} --side valid --pool train"
    command = f"segue-trainer evaluate --model {output.name} --input INPUT {options}"

    def train(control: RunControl) -> object:
        return train_artifact(data, output, recipe, plan, name=run.network, command=command, control=control)

    resume = checkpoint_path(output).exists()
    control = RunControl(on_epoch, resume=resume, identity=run_identity(data, recipe, plan))
    run_resumable(output, control, train, _ignore)


def _ignore(message: str) -> None:
    """Ignores the message about --resume, since the same command resumes the run."""
