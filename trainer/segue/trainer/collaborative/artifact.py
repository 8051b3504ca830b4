"""Writes and reads the folder of a factor model: factors, the map from content, and a manifest with digests."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.core.errors import ArtifactDamaged, ArtifactError
from segue.core.files import sha256_of
from segue.core.model.artifact import MANIFEST, check_files
from segue.trainer.collaborative.factors import ContentMap, Factors
from segue.trainer.collaborative.plays import Plays
from segue.trainer.data.npz import read_npz, write_npz
from segue.trainer.errors import DataUnusable
from segue.trainer.outputs import check_writable, replace_folder, write_text

KIND = "segue-factors"
FORMAT_VERSION = 1
FACTORS = "factors.npz"
_REMEDY = "Name a folder that segue-trainer collaborative wrote, or write it again."


@dataclass(frozen=True)
class FactorModel:
    """The factors of users and items, and the map that gives factors to other items.

    Attributes:
        users: names of the users, [u].
        items: names of the items, [i].
        factors: factors of both.
        mapping: the map from content.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    factors: Factors
    mapping: ContentMap


def check_folder(folder: Path) -> None:
    """Checks that a factor model can be written to a folder.

    Raises:
        DataUnusable: it holds something else, or nothing can be written there.
    """
    if folder.name in ("", "..") or folder.is_mount():
        raise DataUnusable(f"{folder} cannot be replaced as a whole. Name a folder inside it with --output.")
    check_writable(folder)
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set[str]()
    if names and names != {FACTORS, MANIFEST}:  # it is replaced as a whole
        raise DataUnusable(f"{folder} holds something else than a factor model. Name another with --output.")


def write_model(folder: Path, plays: Plays, factors: Factors, mapping: ContentMap, facts: Mapping[str, Any]) -> None:
    """Writes a factor model; an older one in its place stays until the new one is whole.

    Args:
        folder: its folder.
        plays: the users and items of the factors.
        factors: the factors.
        mapping: the map from content.
        facts: what the manifest says of inputs, settings and figures.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / folder.name
        names = {"users": np.array(plays.users), "items": np.array(plays.items)}
        write_npz(
            fresh / FACTORS, names | {"user_factors": factors.users, "item_factors": factors.items} | vars(mapping)
        )
        head = {"kind": KIND, "format_version": FORMAT_VERSION, "files": {FACTORS: sha256_of(fresh / FACTORS)}}
        write_text(fresh / MANIFEST, json.dumps(head | dict(facts), indent=2, sort_keys=True, allow_nan=False) + "\n")
        replace_folder(fresh, folder, Path(scratch) / "older")


def read_model(folder: Path) -> FactorModel:
    """Reads a factor model, and checks its file against the manifest.

    Raises:
        ArtifactError: there is none, or this version cannot read its format.
        ArtifactDamaged: a file was changed, added or removed.
    """
    manifest = _read_manifest(folder / MANIFEST)
    check_files(folder, manifest["files"])
    try:
        fields = read_npz(folder / FACTORS)
        return FactorModel(
            tuple(fields["users"].tolist()),
            tuple(fields["items"].tolist()),
            Factors(fields["user_factors"], fields["item_factors"]),
            ContentMap(fields["content_mean"], fields["weights"], fields["factor_mean"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactDamaged(f"{folder / FACTORS} cannot be read: {error}. {_REMEDY}") from error


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"There is no factor model in {path.parent}: {error}. {_REMEDY}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or not isinstance(manifest.get("files"), dict):
        raise ArtifactError(f"{path} is not the manifest of a factor model. {_REMEDY}")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has the format {manifest.get('format_version')}, and this version of Segue reads "
            f"{FORMAT_VERSION}. Use the version that wrote it, or write it again."
        )
    return manifest
