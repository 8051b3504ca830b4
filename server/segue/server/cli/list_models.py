"""Lists artifacts with what their manifests say of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from segue.core.errors import ArtifactError
from segue.core.model.artifact import MANIFEST, read_manifest

_NO_FIGURE = "-"
# The sternest first.
_PRECISIONS = ("precision_at_10_other_artists", "precision_at_10_from_train", "precision_at_10")


@dataclass(frozen=True)
class ListedModel:
    """An artifact.

    Attributes:
        folder: where it is.
        name: what it is called.
        model_id: which network it holds, or empty where that cannot be told.
        clips: how many clips it was judged by; its card says which, and figures from other clips are no match for it.
        accuracy: of its genres per clip, in [0, 1].
        precision_at_10: the share of the first ten recommendations that are of the seed's genre, in [0, 1].
        cost: what a clip of 30 s costs beside librosa's log-mel of it, in processor seconds over processor seconds.
        bytes: the size of all its files.
        problem: why it cannot be used, or empty.
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


def find(folders: Sequence[Path]) -> list[ListedModel]:
    """The artifacts that are, or lie directly in, some folders, each once, in the order of their places."""
    places = [place for folder in folders for place in (folder, *sorted(folder.iterdir()))]
    found = dict.fromkeys(place.resolve() for place in places if (place / MANIFEST).is_file())
    return [_read(folder) for folder in found]


def _read(folder: Path) -> ListedModel:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        manifest = read_manifest(folder)
    except ArtifactError as error:
        return ListedModel(str(folder), folder.name, bytes=size, problem=str(error))
    figures = manifest.metrics
    return ListedModel(
        folder=str(folder),
        name=manifest.name,
        model_id=manifest.model_id,
        clips=int(figures.get("n", 0)),
        accuracy=figures.get("accuracy"),
        precision_at_10=next((figures[name] for name in _PRECISIONS if name in figures), None),
        cost=figures.get("cost"),
        bytes=size,
    )


def show(models: Sequence[ListedModel], *, as_json: bool) -> None:
    """Prints them, as a table or as one JSON document."""
    if as_json:
        print(json.dumps({"models": [asdict(model) for model in models]}, indent=2))  # noqa: T201 - it is the answer
        return
    table = Table(box=None)
    for heading in ("model", "id", "clips", "accuracy", "P@10", "cost", "size"):
        table.add_column(heading, no_wrap=True)
    table.add_column("folder", no_wrap=True)
    for model in models:
        figures = [_figure(value) for value in (model.accuracy, model.precision_at_10, model.cost)]
        table.add_row(
            model.name,
            model.model_id,
            str(model.clips or _NO_FIGURE),
            *figures,
            f"{model.bytes / 1e6:.1f} MB",
            model.folder,
        )
    # A folder is for copying, so a line may be longer than the terminal.
    console = Console(width=100 + max((len(model.folder) for model in models), default=0))
    console.print(table)
    for model in models:
        if model.problem:
            console.print(model.problem, markup=False, highlight=False, soft_wrap=True)


def _figure(value: float | None) -> str:
    return _NO_FIGURE if value is None else f"{value:.3f}"
