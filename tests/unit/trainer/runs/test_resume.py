from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.trainer.data.dataset import Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import CheckpointMismatch
from segue.trainer.runs.resume import check_resumed, run_identity, run_resumable
from segue.trainer.splits.split import Split
from segue.trainer.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import plan_to_dict
from segue.trainer.training.recipe import Recipe
from segue.trainer.training.recipes import RECIPES
from tests.helpers.trainer.training_data import make_noise_dataset


def make_run(dataset: Dataset) -> TrainValidSplit:
    """The first clip of each genre validates, and the others train."""
    sides = {track: "valid" if track.endswith("00000") else "train" for track in dataset.genres}
    return TrainValidSplit.of(dataset, Split("mine", sides))


def other_clips(data: TrainValidSplit) -> TrainValidSplit:
    """The same run with one training clip of other audio."""
    first, *others = data.train.clips
    return replace(data, train=Dataset((replace(first, decibels=first.decibels - 1), *others)))


def unlabelled_clips(data: TrainValidSplit) -> TrainValidSplit:
    """The same run with a clip that a teacher predicted."""
    clip = replace(data.train.clips[0], posterior=np.full((1, 2), 0.5, np.float32))
    return replace(data, pseudo_labelled=Dataset((clip,)))


def tagged_clips(data: TrainValidSplit) -> TrainValidSplit:
    """The same run with a teacher's tags."""
    clips = (replace(clip, tags=np.zeros((10, 50), np.float32)) for clip in data.train.clips)
    return replace(data, train=Dataset(tuple(clips)))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_settings_hide_nothing_that_identifies_a_run(recipe: Recipe) -> None:
    """A field of a plan may have the name of another property, such as the clips of a batch."""
    data = make_run(make_noise_dataset())
    identity = run_identity(data, recipe, recipe.plan)
    properties = (recipe.name, ["high", "low"], data.split.digest, data.digest, recipe.front_end.fingerprint)
    assert properties == tuple(
        identity[name] for name in ("network", "genres", "split", "digest of the clips", "front end")
    )
    assert plan_to_dict(recipe.plan) == identity["settings"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("change", [other_clips, unlabelled_clips, tagged_clips])
def test_a_run_with_other_data_is_refused(
    tmp_path: Path, recipe: Recipe, change: Callable[[TrainValidSplit], TrainValidSplit]
) -> None:
    """The figures would be of clips that the network was not trained on."""
    data, path = make_run(make_noise_dataset()), tmp_path / "run.npz"
    state = Checkpoint(1, 1, {"loss": [1.0]}, [], [], [], (3, (1, 2), None))
    write_checkpoint(path, state, run_identity(data, recipe, recipe.plan))
    with pytest.raises(CheckpointMismatch, match=f"its digest of the clips is {data.digest}"):
        read_checkpoint(path, run_identity(change(data), recipe, recipe.plan))
    assert 1 == read_checkpoint(path, run_identity(data, recipe, recipe.plan)).epoch


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "nothing was written"),
        (("out",), "Continue with --resume, or write the best one with --finish"),
        (("out.fold-1",), "of a fold of the cross-validation; .*: continue with --resume"),
        (("out.fold-1", "out"), "of the training on all clips; .*: continue with --resume"),
    ],
)
def test_the_message_of_an_interrupted_run(tmp_path: Path, files: Sequence[str], message: str) -> None:
    """It offers what the run can do: a cross-validation needs the last epoch."""

    def run(control: RunControl) -> None:
        for name in files:
            (tmp_path / f"{name}.checkpoint.npz").touch()
        raise KeyboardInterrupt

    messages: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_resumable(tmp_path / "out", RunControl(), run, messages.append)
    assert re.search(message, messages[0])
    assert ("out",) == files or "--finish" not in messages[0]


@pytest.mark.parametrize(
    ("files", "by_folds", "message"),
    [
        ((), True, r"There is no run to resume.*Leave out --resume and --finish"),
        ((), False, r"There is no run to resume.*Leave out --resume and --finish"),
        (("out",), True, r"without a cross-validation.*out\.checkpoint\.npz.*Give --hold-out"),
        (("out.fold-1",), False, r"with a cross-validation.*fold-1.*Leave out --hold-out"),
        (("out.fold-1", "out"), False, r"with a cross-validation.*fold-1.*Leave out --hold-out"),
    ],
)
def test_a_run_of_another_kind_is_refused(
    tmp_path: Path, files: Sequence[str], message: str, *, by_folds: bool
) -> None:
    """The message names the option that is missing or too much, so that following it helps."""
    for name in files:
        (tmp_path / f"{name}.checkpoint.npz").touch()
    with pytest.raises(CheckpointMismatch, match=message):
        check_resumed(tmp_path / "out", by_folds=by_folds)


@pytest.mark.parametrize(
    ("files", "by_folds"), [(("out",), False), (("out.fold-1",), True), (("out.fold-1", "out"), True)]
)
def test_a_run_of_the_same_kind_is_resumed(tmp_path: Path, files: Sequence[str], *, by_folds: bool) -> None:
    """Its checkpoints are of folds if a cross-validation evaluates it."""
    for name in files:
        (tmp_path / f"{name}.checkpoint.npz").touch()
    check_resumed(tmp_path / "out", by_folds=by_folds)


def test_a_run_with_another_setting_is_refused(tmp_path: Path) -> None:
    """The message names the setting."""
    recipe, data = RECIPES["segue-fast"], make_run(make_noise_dataset())
    state = Checkpoint(1, 1, {"loss": [1.0]}, [], [], [], (3, (1, 2), None))
    write_checkpoint(tmp_path / "run.npz", state, run_identity(data, recipe, recipe.plan))
    with pytest.raises(CheckpointMismatch, match="its seed is 0, not 7"):
        read_checkpoint(tmp_path / "run.npz", run_identity(data, recipe, recipe.plan_for(7, None)))
