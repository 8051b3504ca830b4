"""Runs ``segue-trainer train``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.arrays import Floats
from segue.trainer.cross_validation.folds import UNKNOWN, draw_folds
from segue.trainer.data.dataset import Dataset, check_genres, labels_of
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.inputs import LabelledInput, Selects, open_input, select_all
from segue.trainer.data.tag_file import read_plain_tags
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.leakage import count_leakage, training_split
from segue.trainer.labelling.pseudo_labels import UnlabelledMusic, add_pseudo_labelled
from segue.trainer.outputs import check_output
from segue.trainer.reporting.cautions import caution_about_calibration, caution_about_epochs, caution_before_training
from segue.trainer.reporting.figures_table import print_figures
from segue.trainer.reporting.run_record import read_record
from segue.trainer.runs.memory_estimate import available_bytes, check_memory
from segue.trainer.runs.read_clips import read_clips
from segue.trainer.runs.resume import check_resumed, run_identity, run_resumable
from segue.trainer.runs.train_run import train_artifact
from segue.trainer.settings import TrainSettings
from segue.trainer.splits.gtzan import compare_with_gtzan
from segue.trainer.splits.split import CHUNKS, LEAKY, SAVED, SHIPPED, TRAIN, VALID, Split
from segue.trainer.splits.strategies import SplitSpec
from segue.trainer.training.distillation import attach_teacher_tags, count_tagged
from segue.trainer.training.fit import RunControl
from segue.trainer.training.recipes import RECIPES


def train(settings: TrainSettings) -> None:
    """Trains a network, writes its artifact and prints its figures.

    Raises:
        SegueError: the input or the split cannot be used, or the training fails.
    """
    spec = SplitSpec(settings.split, settings.seed, settings.folds, settings.fold)
    saved = spec.load()
    teacher = read_plain_tags(settings.tags) if settings.tags else None
    check_output(settings.output, resume=settings.resume or settings.finish)
    front_end = RECIPES[settings.network].front_end
    labelled = open_input(settings.source, front_end)
    selects = _selects_run(saved)
    by_chunk, cache = saved.leaky if saved else spec.by_chunk, FeatureCache(settings.cache, front_end)
    unlabelled = _open_unlabelled(settings, labelled, selects, by_chunk=by_chunk)
    _check_input(labelled, settings.source)
    columns = labelled.columns(selects) + (unlabelled.columns(front_end) if unlabelled else [])
    check_memory(columns, front_end, available_bytes())
    dataset = read_clips(labelled, selects, front_end, cache, by_chunk=by_chunk)
    check_genres((labelled.genres[track] for track in dataset.dropped), dataset.genres.values())
    split = saved or spec.draw(dataset.genres, dataset.copies)
    data = _with_teacher(divide(settings, dataset, split), teacher)
    _notify_sizes(data)
    data = _with_unlabelled(data, unlabelled, cache)
    manifest = _train(settings, data)
    where = {} if data.folds else {"split": split.label, "side": VALID}
    print_figures({"model_id": manifest.model_id, **where, **manifest.metrics})
    for sentence in (*_caution_about_epochs(settings.output, data), *caution_about_calibration(manifest)):
        console.notify(sentence)
    console.notify(f"written to {settings.output}")


def divide(settings: TrainSettings, dataset: Dataset, split: Split) -> TrainValidSplit:
    """Divides the clips into folds, or by the sides of the split where folds are not wanted or not possible.

    Raises:
        DataUnusable: the clips cannot be trained on.
        SplitMismatch: a recording is on two sides.
    """
    if not RECIPES[settings.network].by_folds or settings.hold_out or split.leaky:
        return TrainValidSplit.of(dataset, split)
    labelled = dataset.select(lambda track: split.side(track) in (TRAIN, VALID))
    try:
        folds = draw_folds(labelled, settings.seed)
    except DataUnusable as error:
        console.notify(f"No cross-validation, the validation clips evaluate the network instead: {error}")
        return TrainValidSplit.of(dataset, split)
    return TrainValidSplit.of_folds(labelled, split, folds)


def _caution_about_epochs(output: Path, data: TrainValidSplit) -> Iterator[str]:
    record = read_record(output)
    if data.folds and record:
        yield from caution_about_epochs(record.history)


def _train(settings: TrainSettings, data: TrainValidSplit) -> Manifest:
    recipe = RECIPES[settings.network]
    plan = recipe.plan_for(settings.seed, settings.epochs)
    name, command = settings.name or settings.network, _evaluate_command(settings)

    def run(control: RunControl) -> Manifest:
        return train_artifact(data, settings.output, recipe, plan, name=name, command=command, control=control)

    if settings.resume or settings.finish:
        check_resumed(settings.output, by_folds=bool(data.folds))
    with console.epoch_bar(plan.epochs) as epoch_bar:
        control = RunControl(
            epoch_bar,
            epoch_bar.begin,
            resume=settings.resume or settings.finish,
            identity=run_identity(data, recipe, plan),
            finish=settings.finish,
        )
        return run_resumable(settings.output, control, run, console.notify)


def _check_input(labelled: LabelledInput, source: Path) -> None:
    """Checks that an input can be trained on, before its audio is decoded."""
    labels_of(labelled.genres.values())
    if source.is_dir():
        for difference in compare_with_gtzan(labelled.genres):
            console.notify(difference)


def _with_teacher(data: TrainValidSplit, teacher: Mapping[str, Floats] | None) -> TrainValidSplit:
    """Attaches a teacher's tags to the training clips; those of other clips are not used."""
    if teacher is None:
        return data
    train = attach_teacher_tags(data.train, teacher)
    console.notify(f"{count_tagged(train)} of the training clips have tags of a teacher")
    return replace(data, train=train)


def _open_unlabelled(
    settings: TrainSettings, labelled: LabelledInput, selects: Selects, *, by_chunk: bool
) -> UnlabelledMusic | None:
    """Lists unlabelled music and loads its teacher, before any audio is decoded."""
    if settings.unlabelled is None or settings.teacher is None:
        return None
    if by_chunk:
        raise DataUnusable(f"Unlabelled clips cannot be divided by {CHUNKS} ({LEAKY}). Choose another --split.")
    genres = {genre for track, genre in labelled.genres.items() if selects(track)}
    music = UnlabelledMusic.open(settings.unlabelled, settings.teacher, genres, labelled.paths)
    if music.copies:
        console.notify(f"left out {quantity(music.copies, 'unlabelled file')} that the labelled clips include")
    if not labelled.paths:
        console.notify(
            f"Warning: {settings.source} has no audio, so copies of its clips in {settings.unlabelled} are not "
            "recognized. If clips to evaluate are there, the figures are too good."
        )
    return music


def _with_unlabelled(data: TrainValidSplit, music: UnlabelledMusic | None, cache: FeatureCache) -> TrainValidSplit:
    """Adds unlabelled music to the clips of a run, with the genres that its teacher predicts."""
    if music is None:
        return data
    with console.progress_bar("reading unlabelled clips") as progress:
        clips = music.read(cache.config, progress, cache)
    console.notify_dropped(clips.dropped)
    teacher = music.teacher.manifest
    together = add_pseudo_labelled(data, clips, teacher.labels, teacher.model_id)
    added = len(together.pseudo_labelled.clips)
    copies = len(clips.clips) - added
    console.notify(
        f"{quantity(added, 'unlabelled clip')} with the genres that {teacher.model_id} predicts"
        + (f"; {quantity(copies, 'copy', 'copies')} of other clips left out" if copies else "")
    )
    known = count_leakage(training_split(music.teacher_folder, teacher), data.evaluated.genres)
    if known.trained_on:
        console.notify(
            f"Warning: {teacher.model_id} was trained on {quantity(known.trained_on, 'evaluated clip')}: the figures "
            "are too good, and the temperature, which the same predictions fit, is too low."
        )
    return together


def _notify_sizes(data: TrainValidSplit) -> None:
    unit, clips = "chunks" if data.split.leaky else "clips", len(data.train.clips)
    if data.folds:
        text = (
            f"{clips} training {unit}; {len(data.folds)} folds over their artists evaluate the network first. {UNKNOWN}"
        )
    else:
        validation = len(data.validation.clips)
        text = f"{clips} training {unit}, {validation} validation {unit}, split {data.split.label}"
    console.notify(text)
    for sentence in caution_before_training(data.train.genres.values(), len(data.evaluated.clips)):
        console.notify(sentence)


def _selects_run(saved: Split | None) -> Selects:
    """Selects the training and validation tracks of a saved split by track; else all, since it is not drawn yet."""
    if saved is None or saved.leaky:
        return select_all
    return lambda track: saved.side(track) in (TRAIN, VALID)


def _evaluate_command(settings: TrainSettings) -> str:
    source = "FOLDER" if settings.source.is_dir() else "ARCHIVE"
    split = settings.split if settings.split in SHIPPED else settings.output / SAVED
    options = f"--split {split} --side valid --pool train"
    return f"segue-trainer evaluate --model {settings.output} --input {source} {options}"
