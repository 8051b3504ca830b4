"""The command ``segue-server models``: lists model artifacts with the figures of their manifests."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from segue.core.errors import ArtifactError
from segue.core.paths import shipped_models

_NO_FIGURE = "-"
# The strictest first.
_PRECISIONS = ("precision_at_10_other_artists", "precision_at_10_from_train", "precision_at_10")
_COLUMNS = ("model", "id", "clips", "accuracy", "P@10", "cost", "size", "folder")


@click.command()
@click.argument(
    "folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="[FOLDER]..."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Lists the models that ship with Segue, and those in each FOLDER.

    Exits with 1 if one of them is damaged.
    """
    listed = find_models([shipped_models(), *folders])
    if as_json:
        click.echo(json.dumps({"models": [asdict(model) for model in listed]}, indent=2))
    else:
        _print_table(listed)
    sys.exit(1 if any(model.problem for model in listed) else 0)


@dataclass(frozen=True)
class ListedModel:
    """A model artifact.

    Attributes:
        folder: folder of the artifact.
        name: name of the model.
        model_id: id of the model, or empty if the manifest cannot be read.
        clips: number of clips that the figures come from; figures from other clips cannot be compared with them.
        accuracy: share of clips with the right genre, [0, 1].
        precision_at_10: share of the first ten recommendations with the seed's genre, [0, 1].
        cost: processor time for a clip of 30 s, relative to that of librosa's log-mel.
        bytes: size of all files.
        problem: reason why the artifact cannot be used, or empty.
    """

    folder: str
    name: str
    model_id: str = ""
    clips: int = 0
    accuracy: float | None = None
    precision_at_10: float | None = None
    cost: float | None = None
    bytes: int = 0
    problem: str = ""


def find_models(folders: Sequence[Path]) -> list[ListedModel]:
    """Returns the artifacts that are, or are directly in, some folders, each once."""
    from segue.core.model.artifact import MANIFEST  # noqa: PLC0415 - so that --help is quick

    candidates = [candidate for folder in folders for candidate in (folder, *sorted(folder.iterdir()))]
    artifacts = dict.fromkeys(path.resolve() for path in candidates if (path / MANIFEST).is_file())
    return [_read_model(folder) for folder in artifacts]


def _read_model(folder: Path) -> ListedModel:
    from segue.core.model.artifact import read_manifest  # noqa: PLC0415 - so that --help is quick

    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        manifest = read_manifest(folder)
    except ArtifactError as error:
        return ListedModel(str(folder), folder.name, bytes=size, problem=str(error))
    metrics = manifest.metrics
    return ListedModel(
        folder=str(folder),
        name=manifest.name,
        model_id=manifest.model_id,
        clips=int(metrics.get("n", 0)),
        accuracy=metrics.get("accuracy"),
        precision_at_10=next((metrics[name] for name in _PRECISIONS if name in metrics), None),
        cost=metrics.get("cost"),
        bytes=size,
    )


def _print_table(listed: Sequence[ListedModel]) -> None:
    from rich.console import Console  # noqa: PLC0415 - so that --help is quick
    from rich.table import Table  # noqa: PLC0415 - likewise

    table = Table(box=None)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    for model in listed:
        table.add_row(*_row(model))
    # A line may be longer than the terminal, so that a folder can be copied.
    console = Console(width=100 + max((len(model.folder) for model in listed), default=0))
    console.print(table)
    for model in listed:
        if model.problem:
            console.print(model.problem, markup=False, highlight=False, soft_wrap=True)


def _row(model: ListedModel) -> tuple[str, ...]:
    figures = [_figure(value) for value in (model.accuracy, model.precision_at_10, model.cost)]
    clips = str(model.clips or _NO_FIGURE)
    return (model.name, model.model_id, clips, *figures, f"{model.bytes / 1e6:.1f} MB", model.folder)


def _figure(value: float | None) -> str:
    return _NO_FIGURE if value is None else f"{value:.3f}"
