"""The commands of ``segue-trainer``, with what a person sees of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.core.model.artifact import Manifest
from segue.trainer import console
from segue.trainer.arrays import Floats
from segue.trainer.commands.evaluate import show_figures
from segue.trainer.data.dataset import Dataset, labels_of
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.front_end import FRONT_END, MAX_WINDOWS
from segue.trainer.data.inputs import LabelledInput, open_input
from segue.trainer.data.labelled_windows import chunk_dataset
from segue.trainer.data.tag_file import read_tag_file
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.outputs import check_output
from segue.trainer.runs.memory_estimate import available_bytes, check_memory
from segue.trainer.runs.resume import run_identity, run_resumable
from segue.trainer.runs.train_run import train_artifact
from segue.trainer.splits.gtzan import compare_with_gtzan
from segue.trainer.splits.split import SAVED, SHIPPED, TRAIN, VALID, Split
from segue.trainer.splits.strategies import SplitSpec
from segue.trainer.training.distillation import attach_teacher_tags, count_tagged
from segue.trainer.training.fit import RunControl
from segue.trainer.training.recipes import RECIPES


@dataclass(frozen=True)
class TrainSettings:
    """What ``segue-trainer train`` was told.

    Attributes:
        source: a folder of audio, or an archive.
        split: which clips it learns from.
        output: the artifact's folder.
        network: which one, by the name of its recipe.
        name: what it is called.
        seed: of everything that is drawn.
        epochs: the most, or None for the recipe's own number.
        resume: whether it goes on from the checkpoint of a run that was stopped.
        finish: whether it writes the best epoch of that checkpoint and trains no further.
        tags: the file of a teacher's tags, or None.
        cache: the folder that features of audio are kept in, or None for none.
    """

    source: Path
    split: SplitSpec
    output: Path
    network: str
    name: str
    seed: int
    epochs: int | None
    resume: bool = False
    cache: Path | None = None
    finish: bool = False
    tags: Path | None = None


def train(settings: TrainSettings) -> None:
    """Trains a network, writes its artifact and prints its figures.

    Raises:
        SegueError: the input, the split or the training fails.
    """
    known = settings.split.known()
    teacher = read_tag_file(settings.tags) if settings.tags else None
    resume = settings.resume or settings.finish
    check_output(settings.output, resume=resume)
    # A folder that cannot be trained on is told before its audio is decoded.
    labelled = open_input(settings.source, FRONT_END)
    listed = labelled.genres
    labels_of(listed.values())
    wanted = _of_a_run(known if known and not known.leaky else None)
    check_memory(labelled.columns(wanted), FRONT_END, MAX_WINDOWS, available_bytes())
    if settings.source.is_dir():
        for said in compare_with_gtzan(listed):
            console.note(said)
    dataset = _read(labelled, settings.split, known, settings.cache)
    _check_genres(listed, dataset)
    split = known or settings.split.draw(dataset.genres, dataset.copies)
    sides = _taught(TrainValidSplit.of(dataset, split), teacher)
    parts = "chunks" if split.leaky else "clips"
    console.note(
        f"{len(sides.learnt.clips)} {parts} to learn from, {len(sides.valid.clips)} to judge by, split {split.label}"
    )
    recipe = RECIPES[settings.network]
    plan = recipe.planned(settings.seed, settings.epochs)

    def work(course: RunControl) -> Manifest:
        return train_artifact(
            sides, settings.output, recipe, plan, name=settings.name, command=_again(settings), course=course
        )

    with console.epoch_bar(plan.epochs) as epoch_bar:
        identity = run_identity(sides, recipe, plan)
        course = RunControl(epoch_bar, resume=resume, identity=identity, finish=settings.finish)
        manifest = run_resumable(settings.output, course, work, console.note)
    show_figures({"model_id": manifest.model_id, "split": split.label, "side": VALID, **manifest.metrics})
    console.note(f"written to {settings.output}")


def save_split(source: Path, wish: SplitSpec, path: Path) -> dict[str, Any]:
    """Draws a split and writes its file.

    Returns:
        Its label and digest, and how many stand on each side.

    Raises:
        SegueError: the input cannot be used, or the split cannot be drawn from it.
    """
    split = wish.known()
    if split is None:
        labelled = open_input(source, FRONT_END)
        split = wish.draw(_read(labelled, wish, None, None).genres if wish.by_chunk else labelled.genres)
    split.save(path)
    return {"split": split.label, "digest": split.digest, **Counter(split.sides.values())}


def _read(labelled: LabelledInput, wish: SplitSpec, known: Split | None, folder: Path | None) -> Dataset:
    """The clips of a run, or their chunks where the split is one by chunks."""
    by_chunk = known.leaky if known else wish.by_chunk
    cache = FeatureCache(folder, FRONT_END) if folder else None
    with console.bar("reading clips") as bar:
        dataset = labelled.read(_of_a_run(None if by_chunk else known), bar, cache)
    console.dropped(dataset.dropped)
    if cache and cache.trouble:
        console.note(cache.trouble)
    return chunk_dataset(dataset, FRONT_END, MAX_WINDOWS) if by_chunk else dataset


def _taught(sides: TrainValidSplit, teacher: Mapping[str, Floats] | None) -> TrainValidSplit:
    """A run whose training clips have a teacher's tags; no others are used."""
    if teacher is None:
        return sides
    learnt = attach_teacher_tags(sides.learnt, teacher)
    console.note(f"{count_tagged(learnt)} of the clips to learn from have the tags of a teacher")
    return replace(sides, learnt=learnt)


def _check_genres(listed: Mapping[str, str], dataset: Dataset) -> None:
    """Refuses to train a network that would not know a genre because none of its clips can be used."""
    lost = {listed[track] for track in dataset.dropped} - set(dataset.genres.values())
    if lost:
        raise DataUnusable(
            f"No clip of {', '.join(sorted(lost))} can be used. Give the genre clips that can, or take its folder away."
        )


def _of_a_run(split: Split | None) -> Callable[[str], bool]:
    return lambda track: split is None or split.side(track) in (TRAIN, VALID)


def _again(settings: TrainSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    split = settings.split.name if settings.split.name in SHIPPED else settings.output / SAVED
    judged = f"--split {split} --side valid --pool train"
    return f"segue-trainer evaluate --model {settings.output} --input {source} {judged}"
