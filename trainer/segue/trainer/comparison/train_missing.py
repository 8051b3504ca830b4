"""Trains the networks that a comparison lacks."""

from __future__ import annotations

from pathlib import Path

from segue.core.model.artifact import MANIFEST
from segue.trainer.comparison.rows import Run
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.outputs import checkpoint_path
from segue.trainer.runs.resume import run_identity, run_resumable
from segue.trainer.runs.train_run import train_artifact
from segue.trainer.training.fit import EpochCallback, RunControl
from segue.trainer.training.recipes import RECIPES


def train_run(run: Run, sides: TrainValidSplit, folder: Path, watch: EpochCallback) -> None:
    """Trains one network under ``folder``, and goes on where it was stopped; nothing where its artifact stands.

    Raises:
        TrainingError: it cannot be trained.
    """
    output = run.folder(folder)
    if (output / MANIFEST).exists():
        return
    recipe = RECIPES[run.network]
    plan = recipe.planned(run.seed, None)
    judged = f"--split {run.split} --side valid --pool train"
    command = f"segue-trainer evaluate --model {output.name} --input INPUT {judged}"

    def work(course: RunControl) -> object:
        return train_artifact(sides, output, recipe, plan, name=run.network, command=command, course=course)

    resume = checkpoint_path(output).exists()
    run_resumable(
        output, RunControl(watch, resume=resume, identity=run_identity(sides, recipe, plan)), work, _say_nothing
    )


def _say_nothing(text: str) -> None:
    """The same command goes on without being told."""
