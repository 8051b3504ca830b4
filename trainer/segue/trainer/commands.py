"""The commands of ``segue-trainer``, with what a person sees of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from segue.core.model import Model
from segue.trainer import show
from segue.trainer.data import labels_of
from segue.trainer.evaluation import Predictions, judge, predict
from segue.trainer.run import FRONT_END, Sides, train_artifact
from segue.trainer.sources import choose_side, hear_input, list_input, read_input
from segue.trainer.split import TRAIN, VALID, Split, load_split, random_split
from segue.trainer.training import Plan


@dataclass(frozen=True)
class TrainSettings:
    """What ``segue-trainer train`` was told.

    Attributes:
        source: a folder of audio, or an archive.
        split: the name or the path of a split, or None for a random one.
        output: the artifact's folder.
        name: of the network.
        seed: of everything that is drawn.
        epochs: how often about ten windows of every clip are heard.
    """

    source: Path
    split: str | None
    output: Path
    name: str
    seed: int
    epochs: int


@dataclass(frozen=True)
class EvaluateSettings:
    """What ``segue-trainer evaluate`` was told.

    Attributes:
        model: the artifact's folder.
        source: a folder of audio, or an archive.
        split: the name or the path of a split, or None for all of the input.
        side: the side that is judged, or None for the sternest that the input has.
        pool: the side that is recommended from, or None for the judged tracks.
        predictions: where they are written, or None.
    """

    model: Path
    source: Path
    split: str | None
    side: str | None
    pool: str | None
    predictions: Path | None


def train(settings: TrainSettings) -> None:
    """Trains a network, writes its artifact and prints its figures.

    Raises:
        SegueError: the input, the split or the training fails.
    """
    named = load_split(settings.split) if settings.split else None
    # A folder that cannot be trained on is told before its audio is decoded.
    labels_of(list_input(settings.source, FRONT_END).values())
    with show.bar("reading clips") as bar:
        dataset = read_input(settings.source, FRONT_END, _of_a_run(named), bar)
    show.dropped(dataset.dropped)
    split = named or random_split(dataset.genres, settings.seed)
    sides = Sides.of(dataset, split)
    show.note(
        f"{len(sides.learnt.clips)} clips to learn from, {len(sides.valid.clips)} to judge by, split {split.name}"
    )
    plan = Plan(epochs=settings.epochs, seed=settings.seed)
    with show.epoch_bar(plan.epochs) as epoch_bar:
        manifest = train_artifact(
            sides, settings.output, plan, name=settings.name, command=_again(settings), watch=epoch_bar
        )
    show_figures({"model_id": manifest.model_id, "split": split.name, "side": VALID, **manifest.metrics})
    show.note(f"written to {settings.output}")


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Judges an artifact.

    Returns:
        The figures by name, with the model id, and the name, digest and side of the split where there is one.

    Raises:
        SegueError: the artifact, the input or the split cannot be used.
    """
    model = Model.load(settings.model)
    split = load_split(settings.split) if settings.split else None
    side = None
    if split:
        side = choose_side(split, settings.side, list_input(settings.source, model.manifest.features))
    judged = _predict(model, settings.source, _on(split, side))
    pool = _predict(model, settings.source, _on(split, settings.pool)) if settings.pool else None
    if settings.predictions:
        judged.save(settings.predictions)
    about = {"split": split.name, "split_digest": split.digest, "side": side, "pool": settings.pool} if split else {}
    return {"model_id": model.manifest.model_id, **about, **judge(judged, pool)}


def show_figures(figures: Mapping[str, Any]) -> None:
    """Prints what ``evaluate`` answers as a table."""
    side = f", {figures['side'] or 'all'} of {figures['split']}" if "split" in figures else ""
    pool = f"the side {figures['pool']}" if figures.get("pool") else "among themselves, each left out for itself"
    numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
    Console().print(show.figures_table(numbers, f"{figures['model_id']}{side}\nrecommended: {pool}"))


def _predict(model: Model, source: Path, wanted: Callable[[str], bool]) -> Predictions:
    with show.bar("hearing tracks") as bar:
        heard, dropped = hear_input(source, model.manifest.features, model.manifest.windows, wanted, bar)
    show.dropped(dropped)
    return predict(model, heard)


def _of_a_run(split: Split | None) -> Callable[[str], bool]:
    return lambda track: split is None or split.side(track) in (TRAIN, VALID)


def _on(split: Split | None, side: str | None) -> Callable[[str], bool]:
    return lambda track: split is None or side is None or split.side(track) == side


def _again(settings: TrainSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    split = settings.split or settings.output / "split.tsv"
    return f"segue-trainer evaluate --model {settings.output} --input {source} --split {split} --side valid"
