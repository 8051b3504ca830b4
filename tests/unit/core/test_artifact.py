from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from segue.core.artifact import read_manifest
from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch


@pytest.fixture
def artifact(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of an artifact that a test may damage."""
    return shutil.copytree(tiny_model, tmp_path / "artifact")


def edit(artifact: Path, **settings: object) -> None:
    """Changes the manifest's settings."""
    path = artifact / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


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
    features = json.loads((artifact / "manifest.json").read_text())["features"]
    edit(artifact, features=features | {"hop": 256})
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
    edit(artifact, format_version=99)
    with pytest.raises(ArtifactError, match="format 99"):
        read_manifest(artifact)
