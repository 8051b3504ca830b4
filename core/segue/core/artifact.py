"""The artifact: a trained network's folder, and the manifest that says what is in it.

::

    saved_model/     the TensorFlow SavedModel
    manifest.json    what it is, what it takes, and the digest of every file
    model-card.md    where it comes from and what it can do

Whoever loads an artifact checks it first: a network with the wrong front end gives wrong answers, not errors.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch
from segue.core.features import FeatureConfig

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SAVED_MODEL = "saved_model"


@dataclass(frozen=True)
class Manifest:
    """What an artifact says of itself.

    Attributes:
        name: what people call the network, such as "segue-fast".
        model_id: the name and the first 8 digits of the digest of its SavedModel; two networks never share one.
        labels: the genres, in the order of the posterior.
        windows: the most windows of a track that ``decide`` takes, at least 1.
        feature_width: the length of the vector that ``encode`` makes of a window.
        embedding_width: the length of a track's embedding.
        features: the front end that it was trained with.
        temperature: what the logits are divided by, above 0; it is inside the graph already.
        metrics: figures of the training run, by name.
        split_digest: the digest of the split that it was trained on, or empty.
        files: the SHA-256 of every other file, by its path in the folder.
    """

    name: str
    model_id: str
    labels: tuple[str, ...]
    windows: int
    feature_width: int
    embedding_width: int
    features: FeatureConfig
    temperature: float
    metrics: dict[str, float] = field(default_factory=dict)
    split_digest: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as its file has it."""
        settings = asdict(self) | {
            "format_version": FORMAT_VERSION,
            "features": self.features.to_dict(),
            "fingerprint": self.features.fingerprint,
        }
        return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest of a finished folder, with the digests of its files and the model id that follows from them.

    Args:
        folder: the artifact's folder; everything else in it is there already.
        manifest: what to write; ``model_id`` and ``files`` are made here.

    Returns:
        The manifest as written.
    """
    files = {path: digest(folder / path) for path in _files(folder)}
    weights = "".join(f"{path}:{files[path]}\n" for path in files if path.startswith(f"{SAVED_MODEL}/"))
    model_id = f"{manifest.name}-{hashlib.sha256(weights.encode()).hexdigest()[:8]}"
    written = Manifest(**{**_shallow(manifest), "model_id": model_id, "files": files})
    (folder / MANIFEST).write_text(written.to_json(), encoding="utf-8")
    return written


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest and checks every file of the artifact against it.

    Raises:
        ArtifactError: there is no artifact, or its format is not one that this version reads.
        ArtifactDamaged: a file is missing or is not the one that the manifest names.
        FingerprintMismatch: the front end's settings and their fingerprint disagree.
    """
    settings = _read_settings(folder)
    try:
        features = FeatureConfig.from_dict(settings.pop("features"))
        fingerprint = settings.pop("fingerprint")
        manifest = Manifest(**{**settings, "labels": tuple(settings["labels"]), "features": features})
    except (KeyError, TypeError) as error:
        raise ArtifactDamaged(f"{folder / MANIFEST} lacks a setting: {error}. Take a fresh copy of it.") from error
    if features.fingerprint != fingerprint:
        raise FingerprintMismatch(
            f"The front end in {folder / MANIFEST} has the fingerprint {features.fingerprint}, and the network was "
            f"trained with {fingerprint}. Take a fresh copy of the artifact, or train the network again."
        )
    check_files(folder, manifest.files)
    return manifest


def check_files(folder: Path, digests: dict[str, str]) -> None:
    """Checks files against their SHA-256.

    Raises:
        ArtifactDamaged: a file is missing or is not the one that was named.
    """
    for path, expected in digests.items():
        actual = digest(folder / path) if (folder / path).is_file() else "missing"
        if actual != expected:
            raise ArtifactDamaged(
                f"{folder / path} is not the file that its manifest names (SHA-256 {actual[:12]}, not "
                f"{expected[:12]}). Take a fresh copy of the whole folder."
            )


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _shallow(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}


def _read_settings(folder: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = settings.pop("format_version")
    except OSError as error:
        raise ArtifactError(
            f"There is no model in {folder}: {MANIFEST} cannot be read. Name an artifact's folder."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactDamaged(f"{folder / MANIFEST} is not a manifest: {error}. Take a fresh copy of it.") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{folder / MANIFEST} has format {version}, and this version reads {FORMAT_VERSION}. "
            "Install the Segue that it was made for."
        )
    return settings
