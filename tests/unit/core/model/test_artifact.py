from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch
from segue.core.model.artifact import read_manifest


@pytest.fixture
def artifact(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of an artifact that a test may damage."""
    return shutil.copytree(tiny_model, tmp_path / "artifact")


def edit(artifact: Path, settings: Mapping[str, object], without: str = "", sealed: bool = True) -> None:
    """Changes the manifest's settings, and its digest along with them unless it is not to be ``sealed``."""
    path = artifact / "manifest.json"
    changed = settings_of(artifact) | dict(settings)
    changed.pop(without, None)
    if sealed:
        del changed["sha256"]
        canonical = json.dumps(changed, sort_keys=True, separators=(",", ":"))
        changed["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    path.write_text(json.dumps(changed))


def settings_of(artifact: Path) -> dict[str, Any]:
    """What the manifest says."""
    settings: dict[str, Any] = json.loads((artifact / "manifest.json").read_text())
    return settings


def test_model_id_names_the_weights(artifact: Path) -> None:
    """The model id is the name and eight digits of a digest."""
    name, _, digits = read_manifest(artifact).model_id.rpartition("-")
    assert ("tiny", 8) == (name, len(digits))


def test_no_artifact(tmp_path: Path) -> None:
    """A folder without a manifest is named."""
    with pytest.raises(ArtifactError, match=f"no model in {tmp_path}"):
        read_manifest(tmp_path)


def test_changed_file(artifact: Path) -> None:
    """One flipped byte in the network is found."""
    path = artifact / "saved_model" / "saved_model.pb"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=r"saved_model\.pb is not the file"):
        read_manifest(artifact)


def test_missing_file(artifact: Path) -> None:
    """A file that is not there is found."""
    (artifact / "saved_model" / "saved_model.pb").unlink()
    with pytest.raises(ArtifactDamaged, match="missing"):
        read_manifest(artifact)


def test_other_front_end(artifact: Path) -> None:
    """Settings that are not those of the fingerprint are refused, with both fingerprints."""
    edit(artifact, {"features": settings_of(artifact)["features"] | {"hop": 256}})
    with pytest.raises(FingerprintMismatch, match=r"[0-9a-f]{16}.*023e0d792e451720"):
        read_manifest(artifact)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format_version": 1}', "not json"])
def test_not_a_manifest(artifact: Path, content: str) -> None:
    """A manifest that says nothing is damaged, not a crash."""
    (artifact / "manifest.json").write_text(content)
    with pytest.raises(ArtifactDamaged):
        read_manifest(artifact)


def test_other_format(artifact: Path) -> None:
    """A manifest of a later format says which versions meet."""
    edit(artifact, {"format_version": 99})
    with pytest.raises(ArtifactError, match="format 99"):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["labels", "temperature", "windows", "files", "name", "sha256"])
def test_a_manifest_that_was_changed(artifact: Path, name: str) -> None:
    """Not one setting can be another without its digest: labels in another order would make every answer wrong."""
    value = settings_of(artifact)[name]
    edit(artifact, {name: list(reversed(value)) if isinstance(value, list) else 3}, sealed=False)
    with pytest.raises(ArtifactDamaged, match="changed after it was written"):
        read_manifest(artifact)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("windows", 0),
        ("windows", "ten"),
        ("windows", True),
        ("embedding_width", -1),
        ("feature_width", 1.5),
        ("temperature", 0),
        ("temperature", float("nan")),
        ("temperature", "warm"),
        ("labels", ["jazz"]),
        ("labels", ["jazz", "jazz"]),
        ("labels", ["jazz", 3]),
        ("labels", "jazz"),
        ("name", ""),
        ("metrics", []),
        ("files", []),
        ("files", {"saved_model/saved_model.pb": "short"}),
        ("split_digest", None),
        ("fingerprint", None),
    ],
)
def test_a_setting_out_of_its_range(artifact: Path, name: str, value: object) -> None:
    """A setting of another type or out of its range is named."""
    edit(artifact, {name: value})
    with pytest.raises(ArtifactDamaged, match=f"{name} is not "):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["windows", "labels", "features", "fingerprint", "metrics", "split_digest", "files"])
def test_a_setting_is_missing(artifact: Path, name: str) -> None:
    """No setting has a silent default."""
    edit(artifact, {}, without=name)
    with pytest.raises(ArtifactDamaged, match=f"too few settings: {name}"):
        read_manifest(artifact)


def test_a_setting_that_nobody_knows(artifact: Path) -> None:
    """What this version does not know, it does not pass over."""
    edit(artifact, {"gain": 3})
    with pytest.raises(ArtifactDamaged, match="too many or too few settings: gain"):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["floor_db", "grid", "scale"])
def test_the_front_end_has_no_defaults(artifact: Path, name: str) -> None:
    """A setting of the front end that is missing is refused, not guessed."""
    features = settings_of(artifact)["features"]
    del features[name]
    edit(artifact, {"features": features})
    with pytest.raises(ArtifactDamaged, match=name):
        read_manifest(artifact)


def test_no_file_is_named(artifact: Path) -> None:
    """A manifest without digests cannot let other weights in."""
    path = artifact / "saved_model" / "variables" / "variables.index"
    path.write_bytes(b"other weights")
    edit(artifact, {"files": {}})
    with pytest.raises(ArtifactDamaged, match=r"does not name .*variables\.index"):
        read_manifest(artifact)


def test_a_file_was_added(artifact: Path) -> None:
    """A file that the manifest does not name is refused by its path; what a desktop hides in every folder is not."""
    (artifact / ".DS_Store").touch()
    read_manifest(artifact)
    (artifact / "saved_model" / "manifest.json").touch()
    with pytest.raises(ArtifactDamaged, match=r"does not name saved_model/manifest\.json"):
        read_manifest(artifact)


def test_another_model_id(artifact: Path) -> None:
    """A network cannot go by another's name: the catalogue that was made by that one would be mixed with its own."""
    edit(artifact, {"model_id": "tiny-00000000"})
    with pytest.raises(ArtifactDamaged, match="tiny-00000000, and the network beside it is tiny-"):
        read_manifest(artifact)
