"""Finds the model that built a catalogue: one that ships with Segue, or one that was used in the data folder before."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from segue.core.catalogue.identity import Identity
from segue.core.errors import ArtifactError
from segue.core.model.artifact import MANIFEST, Manifest
from segue.core.paths import default_model, shipped_model_names, shipped_models

# Folder of the data folder with a link to each model of the user, by model id.
_LINKS = "models"


def find_model(identity: Identity | None, data: Path) -> Path:
    """Returns the folder of the model that built a catalogue, or of the default model if there is no catalogue.

    Args:
        identity: identity of the catalogue, or None if it does not exist.
        data: Segue's data folder.

    Raises:
        ArtifactError: the model is not here.
    """
    if identity is None:
        return default_model()
    for folder in (*sorted(shipped_models().iterdir()), data / _LINKS / identity.model_id):
        if read_model_id(folder) == identity.model_id:
            return folder.resolve()
    raise ArtifactError(
        f"The catalogue was built by the model {identity.model_id}, which is not here. Name its folder with --model"
        f"{_successor_advice(identity.model_id)}."
    )


def _successor_advice(model_id: str) -> str:
    """Returns what else to do if Segue ships a newer model of this name."""
    name = model_id.rpartition("-")[0]
    if name not in shipped_model_names():
        return ""
    return (
        f", or use the one that ships with this version: segue-indexer reindex --model {name} analyzes every file again"
    )


def require_model(folder: Path) -> Path:
    """Returns the folder of a model that was named, if there is a model in it.

    Raises:
        ArtifactError: there is none; the message has the nearest name of a model that ships, and all of them.
    """
    if os.path.exists(folder / MANIFEST):  # noqa: PTH110 - pathlib raises for names that no file system accepts
        return folder
    names = shipped_model_names()
    near = get_close_matches(str(folder), names, 1)
    question = f"Did you mean {near[0]}? " if near else ""
    raise ArtifactError(
        f"There is no model in {folder}: {MANIFEST} cannot be read. {question}Name a model's folder, or a model that "
        f"ships with Segue: {', '.join(names)}."
    )


def remember_model(data: Path, folder: Path, model_id: str) -> None:
    """Keeps the folder of a model in the data folder, so that ``find_model`` finds it; a shipped one is found anyway.

    Args:
        data: Segue's data folder.
        folder: folder of the model.
        model_id: its id.
    """
    target = folder.resolve()
    link = data / _LINKS / model_id
    if target.parent == shipped_models().resolve():
        return
    # A data folder that cannot be written, or has no links, only means that --model has to be given.
    with suppress(OSError, ValueError):
        if not (link.is_symlink() and link.readlink() == target):
            _replace_link(link, target)


def _replace_link(link: Path, target: Path) -> None:
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = link.parent / f".{uuid.uuid4().hex}"
    unfinished.symlink_to(target, target_is_directory=True)
    try:
        unfinished.replace(link)
    except BaseException:
        unfinished.unlink()
        raise


def read_model_id(folder: Path) -> str | None:
    """Returns the id in the manifest of a model, or None if there is no manifest; its files are not checked."""
    path = folder / MANIFEST
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"), path).model_id
    except (ArtifactError, OSError, ValueError):
        return None
