"""The artifact: a trained network's folder, and the manifest that says what is in it.

::

    saved_model/     the TensorFlow SavedModel
    manifest.json    what it is, what it takes, the digest of every other file, and its own
    model-card.md    where it comes from and what it can do

Whoever loads an artifact checks it first: a network with the wrong front end gives wrong answers, not errors.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch
from segue.core.features.config import FeatureConfig
from segue.core.files import sha256_of
from segue.core.model.model_key import ModelKey

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SAVED_MODEL = "saved_model"


@dataclass(frozen=True)
class Manifest:
    """What an artifact says of itself.

    Attributes:
        name: what people call the network, such as "segue-fast".
        model_id: the name and the first 8 digits of the digest of its SavedModel; two networks never share one.
        labels: the genres, at least 2, in the order of the posterior.
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

    @property
    def key(self) -> ModelKey:
        """What a catalogue must have been built by to be used with this artifact."""
        return ModelKey(self.model_id, self.features.fingerprint, self.embedding_width)

    def to_json(self) -> str:
        """The manifest as its file has it."""
        settings = asdict(self) | {
            "format_version": FORMAT_VERSION,
            "features": self.features.to_dict(),
            "fingerprint": self.features.fingerprint,
        }
        return json.dumps(settings | {"sha256": _own_digest(settings)}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, path: Path) -> Manifest:
        """Reads what ``to_json`` wrote.

        Args:
            text: the manifest.
            path: the file it came from, for what is said of it.

        Raises:
            ArtifactError: its format is not one that this version reads.
            ArtifactDamaged: it is not a manifest, was changed, or a setting is missing or out of its range.
            FingerprintMismatch: the front end's settings and their fingerprint disagree.
        """
        settings = _settings(text, path)
        try:
            features = FeatureConfig.from_dict(settings.pop("features"))
        except (TypeError, ValueError) as error:
            raise ArtifactDamaged(f"The front end in {path} cannot be: {error}. Take a fresh copy of it.") from error
        fingerprint = settings.pop("fingerprint")
        if features.fingerprint != fingerprint:
            raise FingerprintMismatch(
                f"The front end in {path} has the fingerprint {features.fingerprint}, and the network was trained with "
                f"{fingerprint}. Take a fresh copy of the artifact, or train the network again."
            )
        return cls(**{**settings, "labels": tuple(settings["labels"]), "features": features})


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest of a finished folder, with the digests of its files and the model id that follows from them.

    Args:
        folder: the artifact's folder; everything else in it is there already.
        manifest: what to write; ``model_id`` and ``files`` are made here.

    Returns:
        The manifest as written.
    """
    files = {path: sha256_of(folder / path) for path in _files(folder)}
    written = replace(manifest, model_id=_model_id(manifest.name, files), files=files)
    (folder / MANIFEST).write_text(written.to_json(), encoding="utf-8")
    return written


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest and checks every file of the artifact against it.

    Raises:
        ArtifactError: there is no artifact, or its format is not one that this version reads.
        ArtifactDamaged: the manifest was changed, or a file is missing, was added, or is not the one that it names.
        FingerprintMismatch: the front end's settings and their fingerprint disagree.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(
            f"There is no model in {folder}: {MANIFEST} cannot be read. Name an artifact's folder."
        ) from error
    except UnicodeDecodeError as error:
        raise ArtifactDamaged(f"{path} is not a manifest: {error}. Take a fresh copy of it.") from error
    manifest = Manifest.from_json(text, path)
    check_files(folder, manifest.files)
    model_id = _model_id(manifest.name, manifest.files)
    if model_id != manifest.model_id:
        raise ArtifactDamaged(
            f"{path} is of the model {manifest.model_id}, and the network beside it is {model_id}. Take a fresh copy "
            "of the whole folder."
        )
    return manifest


def check_files(folder: Path, digests: dict[str, str]) -> None:
    """Checks all files of a folder but the manifest and hidden ones against their SHA-256.

    Raises:
        ArtifactDamaged: a file is missing, is not the one that was named, or was not named.
    """
    there = set(_files(folder))
    for path, expected in digests.items():
        actual = sha256_of(folder / path) if path in there else "missing"
        if actual != expected:
            raise ArtifactDamaged(
                f"{folder / path} is not the file that its manifest names (SHA-256 {actual[:12]}, not "
                f"{expected[:12]}). Take a fresh copy of the whole folder."
            )
    if added := sorted(there - set(digests)):
        raise ArtifactDamaged(
            f"The manifest of {folder} does not name {', '.join(added)}. Take a fresh copy of the whole folder, or "
            "take out what does not belong there."
        )


def _files(folder: Path) -> list[str]:
    """Everything but the manifest and what a desktop hides in a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != MANIFEST)


def _model_id(name: str, files: dict[str, str]) -> str:
    weights = "".join(f"{path}:{files[path]}\n" for path in sorted(files) if path.startswith(f"{SAVED_MODEL}/"))
    return f"{name}-{hashlib.sha256(weights.encode()).hexdigest()[:8]}"


def _own_digest(settings: dict[str, Any]) -> str:
    """The SHA-256 of everything else in a manifest, in hexadecimal."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _settings(text: str, path: Path) -> dict[str, Any]:
    """What a manifest says, once it is known to be whole, with every setting of its type and in its range."""
    try:
        settings: dict[str, Any] = json.loads(text)
        version = settings.pop("format_version")
        own = settings.pop("sha256", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactDamaged(f"{path} is not a manifest: {error}. Take a fresh copy of it.") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format {version}, and this version reads {FORMAT_VERSION}. "
            "Install the Segue that it was made for."
        )
    if own != _own_digest(settings | {"format_version": version}):
        raise ArtifactDamaged(f"{path} was changed after it was written. Take a fresh copy of the whole folder.")
    wanted = {field.name for field in fields(Manifest)} | {"fingerprint"}
    if odd := sorted(wanted ^ set(settings)):
        raise ArtifactDamaged(f"{path} has too many or too few settings: {', '.join(odd)}. Take a fresh copy of it.")
    for name, (fits, wording) in _RANGES.items():
        if not fits(settings[name]):
            raise ArtifactDamaged(f"In {path} {name} is not {wording}. Take a fresh copy of it.")
    return settings


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1  # True is an int by inheritance


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(value) == len(set(value)) >= 2


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a name"),
    "model_id": (_is_text, "a name"),
    "fingerprint": (_is_text, "a fingerprint"),
    "split_digest": (lambda value: isinstance(value, str), "a digest or empty"),
    "labels": (_are_labels, "a list of at least two different genres"),
    "windows": (_is_count, "a whole number, 1 or above"),
    "feature_width": (_is_count, "a whole number, 1 or above"),
    "embedding_width": (_is_count, "a whole number, 1 or above"),
    "temperature": (lambda value: _is_number(value) and 0 < value < math.inf, "a number above 0"),
    "metrics": (lambda value: isinstance(value, dict) and all(map(_is_number, value.values())), "figures by name"),
    "files": (lambda value: isinstance(value, dict) and all(map(_is_digest, value.values())), "digests by path"),
}
