"""The ``segue-trainer`` command."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from segue.core.errors import SegueError
from segue.core.model.tensorflow_stderr import silenced_tensorflow
from segue.core.optional_dependencies import require_extra
from segue.core.paths import DEFAULT_MODEL, default_model, resolve_model
from segue.trainer.cli import accurate
from segue.trainer.cli.options import FILE, FOLDER, slug

_INPUT = click.Path(path_type=Path)
_INPUT_HELP = "A folder of <genre>/<clip>, or a log-mel archive (npz)."
_SPLIT_HELP = "fault-filtered (GTZAN's, shipped), or the path of a saved split (tsv)."
_DRAWN_HELP = (
    "random-tracks (a fifth of every genre validates), paper (9:1 and 9:1 again, by track), artist-grouped (k folds), "
    "chunk-random (parts of a track on every side: LEAKY), fault-filtered (GTZAN's, shipped), or a saved split (tsv)."
)
# As in segue.trainer.training.recipes, which takes seconds to import; a test compares them.
NETWORKS = ("segue-fast", "paper-cnn", "paper-cnn-lstm")
_SEED = click.IntRange(0, 2**31 - 1)


def _default_cache() -> Path:
    from segue.trainer.data.feature_cache import default_cache  # noqa: PLC0415 - needs NumPy, and --help does not

    return default_cache()


def _split_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--split", default="random-tracks", help=_DRAWN_HELP),
        click.option("--folds", type=click.IntRange(3, 100), default=5, help="Folds of artist-grouped."),
        click.option("--fold", type=click.IntRange(0, 99), default=0, help="Which of them tests; the next validates."),
        click.option("--seed", type=_SEED, default=0, help="The same seed draws the same, and gives the same network."),
    )
    for option in reversed(options):
        command = option(command)
    return command


class Commands(click.Group):
    """A group of commands in which a failure is one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Runs a command."""
        # What TensorFlow logs as an error it also raises, but for notes on its own data pipeline.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except (SegueError, OSError) as error:
            from segue.trainer.console import note  # noqa: PLC0415 - needs the extra, and --help does not

            note(f"segue-trainer: {error}")
            sys.exit(1)
        except Terminated:
            _leave_at_once(128 + signal.SIGTERM)
        except KeyboardInterrupt:
            _leave_at_once(128 + signal.SIGINT)
        finally:
            signal.signal(signal.SIGTERM, before)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run is stopped as by Ctrl-C."""


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _leave_at_once(code: int) -> NoReturn:
    """Ends the process without taking Python down first: TensorFlow's threads may still call it, and would abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@click.group(cls=Commands, context_settings={"show_default": True, "max_content_width": 120})
@click.version_option(package_name="segue")
def main() -> None:
    """Trains networks that tell genres apart, and judges them on tracks whose genre is known."""
    require_extra("trainer", "keras", "matplotlib", "rich", "sklearn", "tensorflow")


@main.command()
@click.option("--input", "source", type=_INPUT, required=True, help=_INPUT_HELP)
@_split_options
@click.option("--output", type=FOLDER, required=True, help="Where the artifact goes; an older one there is replaced.")
@click.option("--network", type=click.Choice(NETWORKS), default=NETWORKS[0], help="Which network is trained.")
@click.option("--name", callback=slug, help="What the network is called.  [default: as --network]")
@click.option(
    "--epochs",
    type=click.IntRange(1, 1000),
    help="The most epochs; each hears about ten windows of every clip.  [default: 40, or the paper's 50 and 150]",
)
@click.option("--tags", type=FILE, help="A teacher's tags of the clips (npz), for segue-fast.")
@click.option("--cache", type=FOLDER, default=_default_cache, envvar="SEGUE_CACHE", help="Where features are kept.")
@click.option("--resume", is_flag=True, help="Go on from the last finished epoch of a run that was stopped.")
@click.option("--finish", is_flag=True, help="Write the best epoch of a run that was stopped, and train no further.")
def train(
    *,
    source: Path,
    split: str,
    folds: int,
    fold: int,
    seed: int,
    output: Path,
    network: str,
    name: str | None,
    epochs: int | None,
    tags: Path | None,
    cache: Path,
    resume: bool,
    finish: bool,
) -> None:
    """Trains a network, chooses its best epoch and writes its artifact."""
    if tags and network != NETWORKS[0]:
        raise click.UsageError(f"--tags: {network} learns from genres alone, as the paper has it.")
    with silenced_tensorflow():
        from segue.trainer.commands import train as commands  # noqa: PLC0415 - TensorFlow takes seconds, --help does without
        from segue.trainer.splits import strategies  # noqa: PLC0415 - TensorFlow takes seconds, --help does without

    wish = strategies.SplitSpec(split, seed, folds, fold)
    settings = commands.TrainSettings(
        source, wish, output, network, name or network, seed, epochs, resume, cache, finish, tags
    )
    commands.train(settings)


@main.command("split")
@click.option("--input", "source", type=_INPUT, required=True, help=_INPUT_HELP)
@_split_options
@click.option("--output", type=FILE, required=True, help="The split's file (tsv).")
def save_split(*, source: Path, split: str, folds: int, fold: int, seed: int, output: Path) -> None:
    """Draws a split and saves it with its digest."""
    if output.suffix != ".tsv":
        raise click.UsageError(f"--output {output}: a split's file ends in .tsv.")
    with silenced_tensorflow():
        from segue.trainer.commands import train as commands  # noqa: PLC0415 - TensorFlow takes seconds, --help does without
        from segue.trainer.splits import strategies  # noqa: PLC0415 - TensorFlow takes seconds, --help does without

    for name, value in commands.save_split(source, strategies.SplitSpec(split, seed, folds, fold), output).items():
        click.echo(f"{name}\t{value}")


@main.command()
@click.option(
    "--model",
    type=resolve_model,
    metavar="NAME|DIR",
    default=default_model,
    show_default=DEFAULT_MODEL,
    envvar="SEGUE_MODEL",
    help="The network: one that ships, by its name, or an artifact's folder.",
)
@click.option("--input", "source", type=_INPUT, help=_INPUT_HELP)
@click.option("--tags", type=FILE, help="Judge the network's head alone, by a file of tags (segue-trainer tag).")
@click.option("--split", help=_SPLIT_HELP + "  [default: all of the input is judged]")
@click.option(
    "--side",
    type=click.Choice(["train", "valid", "test"]),
    help="The side of the split to judge by.  [default: test where the input has it, else valid]",
)
@click.option(
    "--pool",
    type=click.Choice(["train", "valid", "test"]),
    help="The side to recommend from.  [default: the judged tracks, each left out for itself]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
@click.option("--predictions", type=FILE, help="Write track, genres, posterior and embedding to this npz.")
@click.option("--report", type=FOLDER, help="Write report.md and its figures into this folder.")
def evaluate(
    *,
    model: Path,
    source: Path | None,
    tags: Path | None,
    split: str | None,
    side: str | None,
    pool: str | None,
    as_json: bool,
    predictions: Path | None,
    report: Path | None,
) -> None:
    """Judges an artifact on tracks whose genre is known."""
    if split is None and (side or pool):
        raise click.UsageError("--side and --pool are sides of a split: name it by --split.")
    judged = tags or source
    if judged is None or (tags and source):
        raise click.UsageError("Name what to judge by: either --input or --tags.")
    with silenced_tensorflow():
        from segue.trainer.commands import evaluate as evaluating  # noqa: PLC0415 - TensorFlow takes seconds, and --help does without

    settings = evaluating.EvaluateSettings(
        model, judged, split, side, pool, predictions, report, tagged=tags is not None
    )
    figures = evaluating.evaluate(settings)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        evaluating.show_figures(figures)


@main.command()
@click.option("--input", "source", type=_INPUT, required=True, help=_INPUT_HELP)
@click.option("--runs", type=FOLDER, required=True, help="Where the networks lie, as <split>/<network>-s<seed>.")
@click.option("--output", type=FILE, required=True, help="The page (Markdown).")
@click.option("--train", is_flag=True, help="Train what is missing, and go on with what was stopped; takes hours.")
@click.option("--cache", type=FOLDER, default=_default_cache, envvar="SEGUE_CACHE", help="Where features are kept.")
@click.option("--readme", type=FILE, help="Write the short table into this page too, between its two marks.")
def compare(*, source: Path, runs: Path, output: Path, train: bool, cache: Path, readme: Path | None) -> None:
    """Compares the networks on GTZAN: fault-filtered by three seeds, and the leaky split by one."""
    with silenced_tensorflow():
        from segue.trainer.commands import compare as comparing  # noqa: PLC0415 - TensorFlow takes seconds, and --help does not need it

    comparing.compare(comparing.CompareSettings(source, runs, output, train, cache, readme))


for command in accurate.COMMANDS:
    main.add_command(command)
