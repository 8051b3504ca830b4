"""The commands of ``segue-trainer`` that make ``segue-accurate``."""

from __future__ import annotations

from pathlib import Path

import click

from segue.core.model.tensorflow_stderr import silenced_tensorflow
from segue.core.paths import default_data_folder
from segue.trainer.cli.options import FILE, FOLDER, slug


def _default_backbone() -> Path:
    return default_data_folder() / "msd-musicnn.npz"


_BACKBONE = click.option(
    "--backbone",
    type=FILE,
    default=_default_backbone,
    show_default="msd-musicnn.npz in your data folder",
    help="The weights of MusiCNN.",
)


@click.command("import-backbone")
@_BACKBONE
@click.option("--wheel", type=FILE, help="musicnn-0.1.0-py3-none-any.whl.  [default: downloaded with pip]")
def import_backbone(*, backbone: Path, wheel: Path | None) -> None:
    """Takes the weights of MusiCNN out of their wheel, which is known by its digest and is not installed."""
    with silenced_tensorflow():
        from segue.trainer.accurate import weights  # noqa: PLC0415 - TensorFlow takes seconds

    weights.import_backbone(backbone, wheel)
    click.echo(f"the weights of MusiCNN are in {backbone}", err=True)


@click.command("tag")
@click.option("--input", "source", type=FOLDER, required=True, help="A folder of <genre>/<clip>.")
@_BACKBONE
@click.option("--output", type=FILE, required=True, help="The file of tags (npz).")
def tag(*, source: Path, backbone: Path, output: Path) -> None:
    """Tags the windows of a folder's clips with MusiCNN, for train-accurate and evaluate --tags."""
    with silenced_tensorflow():
        from segue.trainer.commands import train_accurate as accurate  # noqa: PLC0415 - TensorFlow takes seconds

    accurate.tag(source, backbone, output)


@click.command("train-accurate")
@click.option("--tags", type=FILE, required=True, help="The tags to learn from (npz), made by segue-trainer tag.")
@_BACKBONE
@click.option("--split", help="Learn from the training side of this split alone.  [default: from all tracks]")
@click.option("--output", type=FOLDER, required=True, help="Where the artifact goes; an older one there is replaced.")
@click.option("--name", default="segue-accurate", callback=slug, help="What the network is called.")
@click.option(
    "--seed", type=click.IntRange(0, 2**20), default=0, help="The same seed gives the same network on the same machine."
)
def train_accurate(*, tags: Path, backbone: Path, split: str | None, output: Path, name: str, seed: int) -> None:
    """Trains the head over MusiCNN's tags: judged by folds over artists, then taught all tracks."""
    with silenced_tensorflow():
        from segue.trainer.accurate.head import HeadPlan  # noqa: PLC0415 - likewise
        from segue.trainer.commands import train_accurate as accurate  # noqa: PLC0415 - TensorFlow takes seconds
        from segue.trainer.commands.evaluate import show_figures  # noqa: PLC0415 - likewise

    settings = accurate.AccurateSettings(tags, backbone, split, output, name, HeadPlan(seed=seed))
    manifest = accurate.train_accurate(settings)
    show_figures({"model_id": manifest.model_id, **manifest.metrics})


COMMANDS = (import_backbone, tag, train_accurate)
