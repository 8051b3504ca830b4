"""Reads, checks and writes the manifest of an artifact, the folder of a trained network.

::

    saved_model/     the TensorFlow SavedModel
    onnx/            its twin for ONNX Runtime, encode.onnx and decide.onnx; older artifacts have none
    manifest.json    the properties of the network, and the digests of all files
    model-card.md    the origin and the quality of the network

An artifact is checked before it is loaded, because a network with the wrong front end gives wrong results, not errors.
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

from segue.core.catalogue.identity import ModelKey
from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch
from segue.core.features.config import FeatureConfig
from segue.core.files import sha256_of

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SAVED_MODEL = "saved_model"
ONNX = "onnx"


@dataclass(frozen=True)
class Manifest:
    """The properties of an artifact.

    Attributes:
        name: name of the network, such as "segue-fast".
        model_id: the name and the first 8 digits of a digest of the SavedModel, and of the front end if it levels or
            trims clips; unique for each network with its front end.
        labels: genres in the order of the posterior, at least 2.
        windows: greatest number of windows that ``decide`` accepts for a track, at least 1.
        feature_width: width of the features that ``encode`` computes for a window.
        embedding_width: width of a track's embedding.
        features: settings of the front end that the network was trained with.
        temperature: divisor of the logits, above 0; the graph applies it already.
        metrics: figures of the training run, by name.
        split_digest: digest of the split that the network was trained on, or empty.
        files: SHA-256 of every other file, by its path in the folder.
        tags: names of the tags whose scores, in [0, 1], are the first numbers of a window's features; empty for a
            network that does not tag. At most ``feature_width``.
        novelty_limit: novelty above which a clip is of no known genre; None for a network that does not measure it.
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
    tags: tuple[str, ...] = ()
    novelty_limit: float | None = None

    @property
    def key(self) -> ModelKey:
        """The key of the model; a catalogue works only with the model that built it."""
        return ModelKey(self.model_id, self.features.fingerprint, self.embedding_width)

    def to_json(self) -> str:
        """Returns the content of the manifest's file."""
        settings = asdict(self) | {
            "format_version": FORMAT_VERSION,
            "features": self.features.to_dict(),
            "fingerprint": self.features.fingerprint,
        }
        for name, absent in (("tags", ()), ("novelty_limit", None)):
            if settings[name] == absent:
                del settings[name]  # earlier versions of Segue refuse a setting that they do not know
        return (
            json.dumps(settings | {"sha256": _own_digest(settings)}, indent=2, sort_keys=True, allow_nan=False) + "\n"
        )

    @classmethod
    def from_json(cls, text: str, path: Path) -> Manifest:
        """Parses what ``to_json`` returned.

        Args:
            text: content of the manifest's file.
            path: path of the file, for messages.

        Raises:
            ArtifactError: this version cannot read the format.
            ArtifactDamaged: the text is not a manifest, was changed, or a setting is missing or out of range.
            FingerprintMismatch: the settings of the front end do not have the given fingerprint.
        """
        settings = _settings(text, path)
        try:
            features = FeatureConfig.from_dict(settings.pop("features"))
        except (TypeError, ValueError) as error:
            raise ArtifactDamaged(f"The front end in {path} is invalid: {error}. Take a fresh copy of it.") from error
        fingerprint = settings.pop("fingerprint")
        if features.fingerprint != fingerprint:
            raise FingerprintMismatch(
                f"The front end in {path} has the fingerprint {features.fingerprint}, and the network was trained with "
                f"{fingerprint}. Take a fresh copy of the artifact, or train the network again."
            )
        lists = {name: tuple(settings[name]) for name in ("labels", "tags")}
        return cls(**{**settings, **lists, "features": features})


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest of a finished folder, with the digests of its files and the model id.

    Args:
        folder: the artifact's folder, complete but for the manifest.
        manifest: the manifest; its ``model_id`` and ``files`` are computed from the files.

    Returns:
        The manifest as written.
    """
    files = {path: sha256_of(folder / path) for path in _files(folder)}
    written = replace(manifest, model_id=_model_id(replace(manifest, files=files)), files=files)
    (folder / MANIFEST).write_text(written.to_json(), encoding="utf-8")
    return written


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest, and checks every file of the artifact against it.

    Raises:
        ArtifactError: the folder is not an artifact, or this version cannot read its format.
        ArtifactDamaged: the manifest was changed, or a file is missing, was added or was changed.
        FingerprintMismatch: the settings of the front end do not have the given fingerprint.
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
    model_id = _model_id(manifest)
    if model_id != manifest.model_id:
        raise ArtifactDamaged(
            f"{path} belongs to the model {manifest.model_id}, but the network in its folder is {model_id}. Take a "
            "fresh copy of the whole folder."
        )
    return manifest


def check_files(folder: Path, digests: dict[str, str]) -> None:
    """Checks all files of a folder, except the manifest and hidden files, against their SHA-256.

    Raises:
        ArtifactDamaged: a file is missing, was changed or was added.
    """
    existing = set(_files(folder))
    for path, expected in digests.items():
        actual = sha256_of(folder / path) if path in existing else "missing"
        if actual != expected:
            raise ArtifactDamaged(
                f"{folder / path} is not the file that its manifest names (SHA-256 {actual[:12]}, not "
                f"{expected[:12]}). Take a fresh copy of the whole folder."
            )
    if added := sorted(existing - set(digests)):
        raise ArtifactDamaged(
            f"The manifest of {folder} does not name {', '.join(added)}. Take a fresh copy of the whole folder, or "
            "remove these files."
        )


def _files(folder: Path) -> list[str]:
    """Returns the paths of all files except the manifest and hidden files, which desktops create."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != MANIFEST)


def _model_id(manifest: Manifest) -> str:
    files, features = manifest.files, manifest.features
    weights = "".join(f"{path}:{files[path]}\n" for path in sorted(files) if path.startswith(f"{SAVED_MODEL}/"))
    # The ids of artifacts that were written before these settings existed must not change.
    has_them = features.level_dbfs is not None or features.trim_db is not None
    front_end = features.fingerprint if has_them else ""
    return f"{manifest.name}-{hashlib.sha256((weights + front_end).encode()).hexdigest()[:8]}"


def _own_digest(settings: dict[str, Any]) -> str:
    """Returns the SHA-256 of all other settings of a manifest, in hexadecimal."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _settings(text: str, path: Path) -> dict[str, Any]:
    """Parses a manifest, and checks its digest and the type and range of every setting."""
    try:
        settings: dict[str, Any] = json.loads(text)
        version = settings.pop("format_version")
        own_digest = settings.pop("sha256", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactDamaged(f"{path} is not a manifest: {error}. Take a fresh copy of it.") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format {version}, and this version of Segue reads {FORMAT_VERSION}. "
            "Install the version of Segue that wrote it."
        )
    if own_digest != _own_digest(settings | {"format_version": version}):
        raise ArtifactDamaged(f"{path} was changed after it was written. Take a fresh copy of the whole folder.")
    settings = {"tags": [], "novelty_limit": None} | settings
    expected = {field.name for field in fields(Manifest)} | {"fingerprint"}
    if differing := sorted(expected ^ set(settings)):
        raise ArtifactDamaged(f"Settings in {path} are missing or unknown: {', '.join(differing)}. Take a fresh copy.")
    for name, (is_valid, description) in _RANGES.items():
        if not is_valid(settings[name]):
            raise ArtifactDamaged(f"In {path}, {name} is not {description}. Take a fresh copy of it.")
    tags, width = len(settings["tags"]), settings["feature_width"]
    if tags > width:
        raise ArtifactDamaged(
            f"{path} has {tags} tags, more than its feature_width of {width}. Take a fresh copy of it."
        )
    return settings


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1  # True is an int by inheritance


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _is_finite(value: object) -> bool:
    return _is_number(value) and -math.inf < value < math.inf  # type: ignore[operator]  # it is a number; NaN is not


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(value) == len(set(value))


def _are_labels(value: object) -> bool:
    return _are_names(value) and len(value) >= 2  # type: ignore[arg-type]  # it is a list


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a name"),
    "model_id": (_is_text, "a name"),
    "fingerprint": (_is_text, "a fingerprint"),
    "split_digest": (lambda value: isinstance(value, str), "a digest or empty"),
    "labels": (_are_labels, "a list of at least two different genres"),
    "tags": (_are_names, "a list of different names"),
    "novelty_limit": (lambda value: value is None or _is_finite(value), "a number"),
    "windows": (_is_count, "a whole number, 1 or above"),
    "feature_width": (_is_count, "a whole number, 1 or above"),
    "embedding_width": (_is_count, "a whole number, 1 or above"),
    "temperature": (lambda value: _is_number(value) and 0 < value < math.inf, "a number above 0"),
    "metrics": (lambda value: isinstance(value, dict) and all(map(_is_finite, value.values())), "figures by name"),
    "files": (lambda value: isinstance(value, dict) and all(map(_is_digest, value.values())), "digests by path"),
}
