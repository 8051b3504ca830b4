"""Runs of segue-fast that a cross-validation over artists evaluates, with small settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import CheckpointMismatch
from segue.trainer.networks.trained import AnyTrained
from segue.trainer.reporting.run_record import read_record
from segue.trainer.runs.resume import run_resumable
from segue.trainer.runs.train_run import train_artifact
from segue.trainer.splits.split import Split, load_split
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import FastPlan
from segue.trainer.training.recipe import Recipe
from segue.trainer.training.recipes import RECIPES
from segue.trainer.training.train_fast import train_fast
from tests.helpers.trainer.training_data import make_noise_dataset

FOLDS = 2
RECIPE, PLAN = RECIPES["segue-fast"], FastPlan(epochs=2, clips=6, windows=2)
WEIGHTS = "saved_model/variables/variables.data-00000-of-00001"
Sides = tuple[frozenset[str], frozenset[str]]


def noisy_clips() -> TrainValidSplit:
    """Six clips of each of two genres, two of them on the validation side, with two folds."""
    dataset = make_noise_dataset(6)
    sides = {track: "valid" if track.endswith("5") else "train" for track in dataset.genres}
    even, odd = np.arange(0, 12, 2), np.arange(1, 12, 2)
    return TrainValidSplit.of_folds(dataset, Split("mine", sides), [(even, odd), (odd, even)])


def train(folder: Path, control: RunControl, recipe: Recipe = RECIPE) -> Manifest:
    """Trains a network on the noisy clips."""
    return train_artifact(noisy_clips(), folder, recipe, PLAN, name="tiny", command="", control=control)


class Run:
    """A finished run, and the clips that each of its networks was trained on and validated on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sides = folder, list[Sides]()
        self.trainings = list[tuple[int, int]]()
        control = RunControl(on_training=lambda *numbers: self.trainings.append(numbers))
        self.manifest = train(folder, control, replace(RECIPE, train=self._train))

    def _train(
        self,
        train: Dataset,
        validation: Dataset,
        labels: tuple[str, ...],
        config: FeatureConfig,
        plan: Any,  # noqa: ANN401 - as Recipe.train has it
        control: RunControl,
    ) -> AnyTrained:
        self.sides.append((frozenset(train.genres), frozenset(validation.genres)))
        return train_fast(train, validation, labels, config, plan, control)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An uninterrupted run."""
    return Run(tmp_path_factory.mktemp("folds") / "tiny")


def test_a_clip_is_evaluated_by_a_network_that_was_trained_without_it(run: Run) -> None:
    """Each clip is held out once, and the network that is written is trained on all of them."""
    *folds, final = run.sides
    clips = frozenset(noisy_clips().train.genres)
    assert FOLDS == len(folds)
    assert [clips] * FOLDS == [train | held_out for train, held_out in folds]
    assert sorted(clips) == sorted(track for _, held_out in folds for track in held_out)
    assert [frozenset()] * FOLDS == [train & held_out for train, held_out in folds]
    assert (clips, frozenset()) == final
    assert [(number, FOLDS + 1) for number in range(FOLDS + 1)] == run.trainings


def test_the_figures_are_those_of_the_folds(run: Run) -> None:
    """They are of all clips, with intervals over artists, and none is of a network that was trained on its clip."""
    metrics, record = run.manifest.metrics, read_record(run.folder)
    assert 12 == metrics["n"] == metrics["artists"]
    assert {"accuracy_low", "accuracy_high", "log_loss_low", "log_loss_high"} <= set(metrics)
    assert {"precision_at_10_other_artists", "precision_at_10_other_artists_low"} <= set(metrics)
    assert [] == [name for name in metrics if name.startswith("precision_at_5") or name.endswith("_from_train")]
    assert record
    assert (12, 0, FOLDS, 2) == (record.train, record.validation, record.folds, record.epochs)
    assert [2, 2] == [len(record.history[name]) for name in ("log_loss", "val_log_loss")]


def test_card_and_report_name_the_cross_validation(run: Run) -> None:
    """The report has no map, since embeddings of different networks cannot be compared."""
    card, report = ((run.folder / name).read_text() for name in ("model-card.md", "report.md"))
    assert "## Figures of a cross-validation over the artists of 12 clips" in card
    assert "validation clip" not in card
    assert f"{run.manifest.metrics['accuracy']:.3f} [" in card
    assert "Trained from scratch on 12 clips of the split mine-joined" in card
    assert "12 clips, each by a network that was trained without it (2 folds)" in report
    assert "mean over the folds" in report
    assert "no figure is its own" in card
    assert "## Recommendations" not in report
    assert not (run.folder / "figures" / "map.png").exists()


def test_the_artifact_knows_that_it_was_trained_on_all_clips(run: Run) -> None:
    """Its split has no validation side, so that an evaluation on these clips has a warning."""
    split = load_split(str(run.folder / "split.tsv"))
    assert split.digest == run.manifest.split_digest
    assert {"train"} == set(split.sides.values())


def stop_in_training(last: int) -> RunControl:
    """A control that interrupts a training after its first epoch, as Ctrl-C does."""
    begun: list[int] = []

    def interrupt(epoch: int, figures: Mapping[str, float]) -> None:
        if begun[-1] == last:
            raise KeyboardInterrupt

    return RunControl(interrupt, lambda number, _: begun.append(number))


def test_a_resumed_run_ends_like_an_uninterrupted_one(run: Run, tmp_path: Path) -> None:
    """Its weights are the same to the last bit; finished folds are not trained again, and no checkpoint is left."""
    output, messages = tmp_path / "tiny", list[str]()
    with pytest.raises(KeyboardInterrupt):
        run_resumable(output, stop_in_training(1), partial(train, output), messages.append)
    assert "--resume" in messages[-1]
    names = ["tiny.fold-1.checkpoint.npz", "tiny.fold-2.checkpoint.npz"]
    assert names == sorted(path.name for path in tmp_path.iterdir())
    epochs: list[int] = []
    control = RunControl(lambda epoch, _: epochs.append(epoch), resume=True)
    resumed = run_resumable(output, control, partial(train, output), messages.append)
    assert [2, 1, 2] == epochs
    assert run.manifest.files[WEIGHTS] == resumed.files[WEIGHTS]
    assert run.manifest.temperature == resumed.temperature
    assert run.manifest.metrics["log_loss"] == resumed.metrics["log_loss"]
    assert [output] == list(tmp_path.iterdir())


def test_the_network_on_all_clips_is_finished_only_at_its_end(run: Run, tmp_path: Path) -> None:
    """The figures and the temperature are of networks that were trained to the last epoch."""
    output, messages = tmp_path / "tiny", list[str]()

    def continue_run(control: RunControl) -> Manifest:
        return run_resumable(output, control, partial(train, output), messages.append)

    with pytest.raises(KeyboardInterrupt):
        continue_run(stop_in_training(FOLDS))
    assert "--resume" in messages[-1]
    assert "--finish" not in messages[-1]
    with pytest.raises(CheckpointMismatch, match=r"stopped after epoch 1 of 2.*Continue it with --resume"):
        continue_run(RunControl(resume=True, finish=True))
    with pytest.raises(KeyboardInterrupt):
        continue_run(replace(stop_in_training(FOLDS), resume=True))
    finished = continue_run(RunControl(resume=True, finish=True))
    assert run.manifest.files[WEIGHTS] == finished.files[WEIGHTS]
    assert [output] == list(tmp_path.iterdir())


def test_a_cross_validation_cannot_be_finished_early(tmp_path: Path) -> None:
    """Before its end there is no network to write."""
    control = RunControl(resume=True, finish=True)
    with pytest.raises(CheckpointMismatch, match="its cross-validation has not ended"):
        run_resumable(tmp_path / "tiny", control, partial(train, tmp_path / "tiny"), lambda message: None)


def test_a_run_that_is_not_there_cannot_be_resumed(tmp_path: Path) -> None:
    """The message says so."""
    with pytest.raises(CheckpointMismatch, match="There is no run to resume"):
        run_resumable(
            tmp_path / "tiny", RunControl(resume=True), partial(train, tmp_path / "tiny"), lambda message: None
        )
