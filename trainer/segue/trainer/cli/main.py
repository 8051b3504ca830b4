"""The ``segue-trainer`` command."""

from __future__ import annotations

from pathlib import Path

import click

from segue.core.model.tensorflow_import import enable_onednn
from segue.core.model.tensorflow_stderr import silenced_tensorflow
from segue.core.optional_dependencies import require_extra
from segue.core.settings.version import VERSION
from segue.trainer.cli import collaborative_options, options
from segue.trainer.cli.errors import ErrorReportingGroup
from segue.trainer.settings import (
    CollaborativeSettings,
    CompareHeadsSettings,
    CompareSettings,
    EvaluateSettings,
    ImportBackboneSettings,
    SplitSettings,
    SuggestSettings,
    TagSettings,
    TrainAccurateSettings,
    TrainSettings,
)


@click.group(
    cls=ErrorReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 120},
)
@click.version_option(VERSION)
def main() -> None:
    """Trains networks that classify music by genre, and evaluates them on labelled tracks."""
    require_extra("trainer", "implicit", "keras", "matplotlib", "onnx", "rich", "sklearn", "tensorflow", "tf2onnx")
    enable_onednn()


@main.command("train", epilog=options.SPLITS)
@options.gathered(
    TrainSettings,
    options.INPUT,
    *options.SPLIT_CHOICE,
    options.ARTIFACT_OUTPUT,
    options.NETWORK,
    options.NAME,
    options.EPOCHS,
    options.TEACHER_TAGS,
    options.UNLABELLED,
    options.TEACHER,
    options.CACHE,
    options.RESUME,
    options.FINISH,
    options.HOLD_OUT,
)
def train(settings: TrainSettings) -> None:
    """Trains a network and writes its best epoch as a model."""
    if settings.tags and settings.network != options.NETWORKS[0]:
        raise click.UsageError(f"--tags: {settings.network} trains on genres alone, as in the paper. Leave it out.")
    if (settings.unlabelled is None) != (settings.teacher is None):
        raise click.UsageError("--unlabelled and --teacher need each other: name both, or neither.")
    if settings.unlabelled and settings.network != options.NETWORKS[0]:
        raise click.UsageError(f"--unlabelled: {settings.network} trains on labelled clips alone. Leave it out.")
    with silenced_tensorflow():
        from segue.trainer.commands.train import train as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("split", epilog=options.SPLITS)
@options.gathered(SplitSettings, options.INPUT, *options.SPLIT_CHOICE, options.SPLIT_OUTPUT)
def split(settings: SplitSettings) -> None:
    """Divides tracks into training, validation and test sides, and saves the split."""
    with silenced_tensorflow():
        from segue.trainer.commands.split import split as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("evaluate")
@options.gathered(
    EvaluateSettings,
    options.MODEL,
    options.INPUT_OR_TAGS,
    options.EVALUATED_TAGS,
    options.EVALUATED_SPLIT,
    options.SIDE,
    options.POOL,
    options.JSON,
    options.PREDICTIONS,
    options.REPORT,
    options.RECOMMEND,
    options.ARTISTS,
)
def evaluate(settings: EvaluateSettings) -> None:
    """Evaluates a trained model on labelled tracks."""
    if settings.split is None and (settings.side or settings.pool):
        raise click.UsageError("--side and --pool name sides of a split. Name the split by --split.")
    if (settings.source is None) == (settings.tags is None):
        raise click.UsageError("Name what to evaluate on: either --input or --tags.")
    if settings.artists and not settings.recommend:
        raise click.UsageError("--artists is for recommendations. Add --recommend, or leave it out.")
    with silenced_tensorflow():
        from segue.trainer.commands.evaluate import evaluate as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("compare")
@options.gathered(
    CompareSettings,
    options.INPUT,
    options.RUNS,
    options.RUN_RESULTS,
    options.PAGE_OUTPUT,
    options.TRAIN_MISSING,
    options.CACHE,
)
def compare(settings: CompareSettings) -> None:
    """Compares the paper's networks on the GTZAN data set.

    Measures three random seeds of each network on the splits `fault-filtered` and `chunk-random`. The figures on
    `chunk-random` are too good, because that split has windows of one track on several sides.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.compare import compare as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("import-backbone")
@options.gathered(ImportBackboneSettings, options.BACKBONE, options.WHEEL)
def import_backbone(settings: ImportBackboneSettings) -> None:
    """Extracts MusiCNN's weights from its Python wheel.

    The digest of the wheel is checked. The wheel is not installed.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.import_backbone import import_backbone as run  # noqa: PLC0415 - TensorFlow

    run(settings)


@main.command("tag")
@options.gathered(TagSettings, options.AUDIO_INPUT, options.BACKBONE, options.TAGS_OUTPUT)
def tag(settings: TagSettings) -> None:
    """Computes MusiCNN's tags of the clips in a folder.

    The tags are the probabilities of 50 descriptions, such as guitar or mellow. The commands `train-accurate`
    and `evaluate --tags` read them.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.tag import tag as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("train-accurate")
@options.gathered(
    TrainAccurateSettings,
    options.TRAINING_TAGS,
    options.BACKBONE,
    options.TRAINING_SPLIT,
    options.ARTIFACT_OUTPUT,
    options.ACCURATE_NAME,
    options.WINDOWS,
    options.ACCURATE_SEED,
)
def train_accurate(settings: TrainAccurateSettings) -> None:
    """Trains the head of segue-accurate on MusiCNN's tags.

    Measures the head by cross-validation over artists, then trains the final head on all tracks, or on the training
    side of --split.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.train_accurate import train_accurate as run  # noqa: PLC0415 - TensorFlow

    run(settings)


@main.command("compare-heads")
@options.gathered(
    CompareHeadsSettings, options.TRAINING_TAGS, options.TRAINING_SPLIT, options.DRAWS, options.ACCURATE_SEED
)
def compare_heads(settings: CompareHeadsSettings) -> None:
    """Compares designs of the head of segue-accurate.

    Measures each design by cross-validation over artists, in several draws of the folds, and prints the results as
    Markdown. Takes about two minutes a draw.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.compare_heads import compare_heads as run  # noqa: PLC0415 - TensorFlow

    run(settings)


@main.command("export")
@options.ARTIFACT
def export(folder: Path) -> None:
    """Adds the ONNX twin to a trained model, or replaces it.

    The twin is the same network for ONNX Runtime, so that server and indexer need no TensorFlow. MODEL is the folder of
    a model that an earlier version of Segue trained: models that are trained now have a twin. Model id and catalogues
    stay as they are. Do not run it while a server or an indexer starts with this model.
    """
    with silenced_tensorflow():
        from segue.trainer.commands.export import export as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(folder)


@main.command("suggest")
@options.gathered(
    SuggestSettings,
    options.MUSIC_INPUT,
    options.TRAINED_MODEL,
    options.LIMIT,
    options.TAG_CACHE,
    options.JSON,
    *options.PATH_FORMATS,
)
def suggest(settings: SuggestSettings) -> None:
    """Suggests which clips to label next.

    Of a folder of unlabelled music, it names those that a model is unsure of and that differ most from each other. Move
    each into the folder of its genre, then run `tag` and `train-accurate` again.
    """
    if settings.path_end and settings.as_json:
        raise click.UsageError("--json prints the paths, too: leave out --paths and --print0.")
    with silenced_tensorflow():
        from segue.trainer.commands.suggest import suggest as run  # noqa: PLC0415 - importing TensorFlow takes seconds

    run(settings)


@main.command("collaborative")
@options.gathered(
    CollaborativeSettings,
    collaborative_options.PLAYS,
    collaborative_options.EMBEDDINGS,
    collaborative_options.ARTISTS,
    collaborative_options.OUTPUT,
    collaborative_options.FACTORS,
    collaborative_options.REGULARIZATION,
    collaborative_options.MIN_USERS,
    collaborative_options.FOLDS,
    collaborative_options.SEED,
    collaborative_options.THREADS,
    options.JSON,
)
def collaborative(settings: CollaborativeSettings) -> None:
    """Learns factors from plays, and measures what they add to the sound.

    Hides one item of each user, and then all plays of one fold of items after the other, and compares recommenders by
    how many of the hidden ones they find.
    """
    if settings.embeddings is None and not settings.plays.is_dir():
        raise click.UsageError("--embeddings is missing. Only the folder of hetrec2011-lastfm-2k has tags instead.")
    if settings.artists and not settings.embeddings:
        raise click.UsageError("--artists names the artists of embedded tracks. Name the tracks by --embeddings.")
    if settings.embeddings and settings.plays.is_dir() and not settings.artists:
        raise click.UsageError("--artists is missing: the items of hetrec2011-lastfm-2k are artists.")
    with silenced_tensorflow():
        from segue.trainer.commands.collaborative import collaborative as run  # noqa: PLC0415 - TensorFlow

    run(settings)
