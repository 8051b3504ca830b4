"""Finds model artifacts, and reads the figures of their manifests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.core.errors import ArtifactError

# The strictest first.
_PRECISIONS = ("precision_at_10_other_artists", "precision_at_10_from_train", "precision_at_10")


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
