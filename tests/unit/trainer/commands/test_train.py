from __future__ import annotations

from pathlib import Path

import pytest

from segue.trainer.commands.train import divide
from segue.trainer.data.dataset import Dataset
from segue.trainer.networks.paper import CNN
from segue.trainer.settings import TrainSettings
from segue.trainer.splits.split import Split
from tests.helpers.trainer.training_data import make_noise_dataset


def make_settings(network: str = "segue-fast", *, hold_out: bool = False) -> TrainSettings:
    """Settings of a run; only the network, the seed and ``hold_out`` count here."""
    return TrainSettings(
        source=Path("clips"),
        split="random-tracks",
        folds=5,
        fold=0,
        seed=0,
        output=Path("out"),
        network=network,
        name=None,
        epochs=None,
        tags=None,
        unlabelled=None,
        teacher=None,
        cache=Path("cache"),
        resume=False,
        finish=False,
        hold_out=hold_out,
    )


def make_split(dataset: Dataset, kind: str = "track") -> Split:
    """One clip of each genre validates, another one tests, and the others train."""
    sides = {"00000": "valid", "00001": "test"}
    named = {track: sides.get(track.rpartition(".")[2], "train") for track in dataset.genres}
    return Split("mine", named, "chunk" if kind == "chunk" else "track")


def test_segue_fast_gets_folds_over_both_sides() -> None:
    """Clips of the test side are neither trained on nor held out."""
    dataset = make_noise_dataset(7)
    data = divide(make_settings(), dataset, make_split(dataset))
    assert (5, 12, 0) == (len(data.folds), len(data.train.clips), len(data.validation.clips))
    assert {"low.00001", "high.00001"} == set(dataset.genres) - set(data.train.genres)
    assert ["low.00001", "high.00001"] == [track for track, side in data.split.sides.items() if side == "test"]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [(make_settings(hold_out=True), "track"), (make_settings(CNN), "track"), (make_settings(), "chunk")],
    ids=["hold-out", "network of the paper", "leaky split"],
)
def test_other_runs_have_a_validation_side(settings: TrainSettings, kind: str) -> None:
    """The sides are those of the split."""
    dataset = make_noise_dataset(7)
    data = divide(settings, dataset, make_split(dataset, kind))
    assert (0, 10, 2) == (len(data.folds), len(data.train.clips), len(data.validation.clips))


def test_too_few_clips_for_folds_have_a_validation_side(capsys: pytest.CaptureFixture[str]) -> None:
    """A message gives the reason."""
    dataset = make_noise_dataset(4)
    data = divide(make_settings(), dataset, make_split(dataset))
    assert (0, 4, 2) == (len(data.folds), len(data.train.clips), len(data.validation.clips))
    message = " ".join(capsys.readouterr().err.split())
    assert "No cross-validation, the validation clips evaluate the network instead: Every genre has fewer" in message


def test_the_split_of_an_artifact_is_divided_again() -> None:
    """A split whose validation side joined its training side is used as it is."""
    dataset = make_noise_dataset(7)
    joined = make_split(dataset).joined()
    assert joined == divide(make_settings(), dataset, joined).split
