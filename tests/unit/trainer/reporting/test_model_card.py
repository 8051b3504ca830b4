from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from segue.core.model.artifact import Manifest, read_manifest
from segue.trainer.evaluation.known_artists import describe_held_out
from segue.trainer.reporting.model_card import CardContext, write_card
from segue.trainer.reporting.run_record import read_record
from segue.trainer.splits.split import SAVED, load_split
from segue.trainer.training.recipes import RECIPES

MODEL = Path(__file__).parents[4] / "models" / "segue-fast"


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The manifest of the model that ships."""
    return read_manifest(MODEL)


@pytest.fixture(scope="module")
def context() -> CardContext:
    """The facts of the run that trained it."""
    record, recipe = read_record(MODEL), RECIPES["segue-fast"]
    assert record
    return CardContext(
        split=load_split(str(MODEL / SAVED)),
        train=record.train,
        tagged=443,
        pseudo_labelled=0,
        teacher="",
        validation=0,
        recipe=recipe,
        plan=recipe.plan,
        epochs=record.epochs,
        best_epoch=record.best_epoch,
        seconds=record.seconds,
        command="",
        folds=record.folds,
    )


def test_the_shipped_card_is_what_a_training_writes(manifest: Manifest, context: CardContext) -> None:
    """Its sentences change with those of the trainer."""
    assert write_card(manifest, manifest.metrics, context) == (MODEL / "model-card.md").read_text()


def test_the_card_of_other_music_names_no_genre_of_gtzan(manifest: Manifest, context: CardContext) -> None:
    """Only the genres of the model are named."""
    card = write_card(replace(manifest, labels=("ambient", "techno")), manifest.metrics, context)
    assert [] == [genre for genre in ("rock", "country", "metal", "disco", "hip hop") if genre in card]


@pytest.mark.parametrize(("temperature", "says_so"), [(1.7, True), (1.0, False)])
def test_a_teacher_may_bias_the_temperature(
    manifest: Manifest, context: CardContext, temperature: float, *, says_so: bool
) -> None:
    """The temperature is fitted on the predictions that the figures are of, if it is fitted at all."""
    taught = replace(context, pseudo_labelled=9, teacher="other-1234")
    card = write_card(replace(manifest, temperature=temperature), manifest.metrics, taught)
    assert "the figures are too good" in card
    assert says_so == ("the temperature, which the same predictions fitted, is too low" in card)


def test_unknown_artists_are_not_held_out() -> None:
    """GTZAN's index names the artists of GTZAN's tracks alone."""
    assert "its artist" == describe_held_out(["techno/a.mp3", "blues.00000"])
    assert "it" == describe_held_out(["techno/a.mp3"])
