"""Options of ``segue-trainer``, each declared once. ``--help`` imports them, so nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from segue.core.paths import DEFAULT_MODEL, default_model, resolve_model
from segue.trainer.cli.option_values import check_name, check_tsv, default_backbone, default_cache, default_tag_cache

Settings = TypeVar("Settings")
Command = Callable[..., Any]
Option = Callable[[Command], Command]

# The names in segue.trainer.training.recipes, which takes seconds to import; a test compares them.
NETWORKS = ("segue-fast", "paper-cnn", "paper-cnn-lstm", *(f"paper-cnn-lstm-{seconds}s" for seconds in (6, 15, 30)))
# The number in segue.trainer.accurate.head, which takes seconds to import; a test compares them.
SERVED_WINDOWS = 5

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_FILE_OR_FOLDER = click.Path(path_type=Path)
_SIDE = click.Choice(["train", "valid", "test"])


def gathered(kind: Callable[..., Settings], *options: Option) -> Callable[[Callable[[Settings], None]], Command]:
    """Declares the options of a command, and passes their values to it as one settings object.

    Args:
        kind: class of the settings; its fields are named as the options are.
        options: the options, in the order of ``--help``.
    """

    def declare(command: Callable[[Settings], None]) -> Command:
        @wraps(command)
        def run(**values: Any) -> None:  # noqa: ANN401 - the fields of the settings
            command(kind(**values))

        declared: Command = run
        for option in reversed(options):
            declared = option(declared)
        return declared

    return declare


def _input(*, required: bool) -> Option:
    return click.option(
        "--input",
        "source",
        type=_FILE_OR_FOLDER,
        required=required,
        help="Folder with a subfolder of clips for each genre, or log-mel archive (npz).",
    )


def _output(type_: click.Path, what: str, callback: Callable[..., Any] | None = None) -> Option:
    return click.option("--output", type=type_, required=True, callback=callback, help=what)


def _tags(what: str, *, required: bool = False) -> Option:
    return click.option("--tags", type=_FILE, required=required, help=what)


def _name(default: str | None, default_help: str = "") -> Option:
    return click.option(
        "--name",
        metavar="NAME",
        default=default,
        callback=check_name,
        help=f"Name of the network; its model id begins with it.{default_help}",
    )


def _seed(highest: int, what: str) -> Option:
    return click.option("--seed", metavar="N", type=click.IntRange(0, highest), default=0, help=what)


INPUT = _input(required=True)
INPUT_OR_TAGS = _input(required=False)
AUDIO_INPUT = click.option(
    "--input", "source", type=_FOLDER, required=True, help="Folder with a subfolder of clips for each genre."
)

MUSIC_INPUT = click.option(
    "--input", "source", type=_FOLDER, required=True, help="Folder of unlabelled music, in any layout."
)

ARTIFACT_OUTPUT = _output(_FOLDER, "Folder of the trained model; an older one there is replaced.")
SPLIT_OUTPUT = _output(_FILE, "File of the split (tsv).", check_tsv)
TAGS_OUTPUT = _output(_FILE, "File of the tags (npz).")
PAGE_OUTPUT = _output(_FILE, "File of the results page (Markdown).")

SPLITS = """\b
Splits:
  random-tracks   a fifth of each genre's tracks for validation, the rest for training
  paper           a tenth of the tracks for test, a tenth of the rest for validation
  artist-grouped  by artist, GTZAN only: one fold for test, the next for validation
  chunk-random    windows of the same track on several sides, so its figures are too good
  fault-filtered  the published split of GTZAN without its faults
"""
SPLIT_CHOICE = (
    click.option(
        "--split",
        metavar="SPLIT|FILE",
        default="random-tracks",
        help="How to divide the tracks: one of the splits below, or the path of a saved split (tsv).",
    ),
    click.option(
        "--folds", metavar="N", type=click.IntRange(3, 100), default=5, help="Number of folds of artist-grouped."
    ),
    click.option(
        "--fold",
        metavar="N",
        type=click.IntRange(0, 99),
        default=0,
        help="Number of the test fold of artist-grouped, from 0.",
    ),
    _seed(2**31 - 1, "Random seed; the same seed gives the same result."),
)
EVALUATED_SPLIT = click.option(
    "--split",
    metavar="SPLIT|FILE",
    help="fault-filtered (the published split of GTZAN), or the path of a saved split (tsv).  "
    "[default: all of the input is evaluated]",
)
TRAINING_SPLIT = click.option(
    "--split", metavar="SPLIT|FILE", help="Train on the training side of this split only.  [default: all tracks]"
)
SIDE = click.option(
    "--side",
    type=_SIDE,
    help="Side of --split to evaluate.  [default: test if the input has tracks of that side, else valid]",
)
POOL = click.option(
    "--pool", type=_SIDE, help="Side of --split from which tracks are recommended.  [default: the evaluated side]"
)

NETWORK = click.option("--network", type=click.Choice(NETWORKS), default=NETWORKS[0], help="Network to train.")
NAME = _name(None, "  [default: the value of --network]")
ACCURATE_NAME = _name("segue-accurate")
ACCURATE_SEED = _seed(2**20, "Random seed of the head; the same seed gives the same network on the same machine.")
WINDOWS = click.option(
    "--windows",
    metavar="N",
    type=click.IntRange(1, SERVED_WINDOWS),
    default=SERVED_WINDOWS,
    help="Largest number of windows of a clip. Fewer cost less time for each clip, and some accuracy.",
)
DRAWS = click.option(
    "--draws", metavar="N", type=click.IntRange(1, 100), default=4, help="Number of draws of the folds."
)
EPOCHS = click.option(
    "--epochs",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Maximum number of epochs. An epoch sees about 30 s of every clip.  "
    "[default: 40 for segue-fast, 50 for paper-cnn, 150 for the others]",
)
TEACHER_TAGS = _tags(
    "Tags of the clips (npz) that `segue-trainer tag` wrote. segue-fast is then trained on a mix of each clip's "
    "genre and the genre that its tags predict."
)
UNLABELLED = click.option(
    "--unlabelled",
    type=_FOLDER,
    help="Folder of unlabelled music, in any layout. segue-fast is also trained on it, with the genres that --teacher "
    "predicts.",
)
TEACHER = click.option(
    "--teacher",
    type=resolve_model,
    metavar="NAME|DIR",
    help="Model that predicts the genres of --unlabelled: a folder, or the name of a model that ships with Segue.",
)
EVALUATED_TAGS = _tags("Evaluate only the network's head, on tags (npz) that `segue-trainer tag` wrote.")
TRAINING_TAGS = _tags("Tags to train on (npz), which `segue-trainer tag` wrote.", required=True)
CACHE = click.option(
    "--cache",
    type=_FOLDER,
    default=default_cache,
    show_default="~/.cache/segue/features",
    envvar="SEGUE_CACHE",
    help="Folder of cached features.",
)
RESUME = click.option("--resume", is_flag=True, help="Continue an interrupted run after its last finished epoch.")
FINISH = click.option(
    "--finish", is_flag=True, help="Write the best epoch of an interrupted run, without further training."
)

HOLD_OUT = click.option(
    "--hold-out",
    is_flag=True,
    help="Train segue-fast on the training side of --split alone, as the paper's networks are, and let the validation "
    "side select the epoch, fit the temperature and give the figures. Without it, a cross-validation over the artists "
    "of both sides gives them, and the network is then trained on both; this takes six times as long.",
)

ARTIFACT = click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="MODEL")

MODEL = click.option(
    "--model",
    type=resolve_model,
    metavar="NAME|DIR",
    default=default_model,
    show_default=DEFAULT_MODEL,
    envvar="SEGUE_MODEL",
    help="Name of a model that ships with Segue, or folder of a trained model.",
)
TRAINED_MODEL = click.option(
    "--model",
    type=resolve_model,
    metavar="NAME|DIR",
    required=True,
    envvar="SEGUE_MODEL",
    help="Folder of a model that train-accurate trained, or segue-accurate.",
)
LIMIT = click.option(
    "--limit", metavar="N", type=click.IntRange(1, 1000), default=20, help="Largest number of suggestions."
)
TAG_CACHE = click.option(
    "--tag-cache",
    type=_FILE,
    default=default_tag_cache,
    show_default="~/.cache/segue/tags.npz",
    help="File of cached tags (npz), so that later runs only decode new and changed files.",
)
PATH_FORMATS = (
    click.option("--paths", "path_end", flag_value="\n", default=None, help="Print only the paths, one per line."),
    click.option(
        "--print0",
        "path_end",
        flag_value="\0",
        default=None,
        help="Print only the paths, each with a null byte at its end, as xargs -0 reads them.",
    ),
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
PREDICTIONS = click.option(
    "--predictions", type=_FILE, help="Write tracks, genres, posteriors and embeddings to this file (npz)."
)
REPORT = click.option("--report", type=_FOLDER, help="Write report.md and its figures to this folder.")
RECOMMEND = click.option(
    "--recommend",
    is_flag=True,
    help="Also judge recommendations by each setting of Recommend: copies, limits for an artist and an album, "
    "diversity and others. Takes a minute for some hundred tracks.",
)
ARTISTS = click.option(
    "--artists",
    type=_FILE,
    help="Table (tsv) with the columns track, artist and, if known, album, for --recommend.  "
    "[default: the artists of GTZAN's tracks]",
)

RUNS = click.option(
    "--runs",
    type=_FOLDER,
    required=True,
    help="Folder that holds the trained models in subfolders <split>/<network>-s<seed>.",
)
RUN_RESULTS = click.option(
    "--results",
    type=_FOLDER,
    required=True,
    help="Folder of the results of each run. A run that has results there is neither trained nor measured again.",
)
TRAIN_MISSING = click.option(
    "--train", is_flag=True, help="Train the missing networks, and continue interrupted runs; takes hours."
)

BACKBONE = click.option(
    "--backbone",
    type=_FILE,
    default=default_backbone,
    show_default="~/.local/share/segue/msd-musicnn.npz",
    help="File of MusiCNN's weights (npz), which import-backbone writes.",
)
WHEEL = click.option(
    "--wheel", type=_FILE, help="Path of musicnn-0.1.0-py3-none-any.whl.  [default: downloaded with pip]"
)
