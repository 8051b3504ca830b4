from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.core.errors import ArtifactDamaged, ArtifactError, FingerprintMismatch
from segue.core.model.artifact import read_manifest, write_manifest


@pytest.fixture
def artifact(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of an artifact, which a test may damage."""
    return shutil.copytree(tiny_model, tmp_path / "artifact")


def edit(artifact: Path, settings: Mapping[str, object], remove: str = "", update_digest: bool = True) -> None:
    """Changes or removes settings of the manifest, and by default its digest."""
    path = artifact / "manifest.json"
    changed = settings_of(artifact) | dict(settings)
    changed.pop(remove, None)
    if update_digest:
        del changed["sha256"]
        canonical = json.dumps(changed, sort_keys=True, separators=(",", ":"))
        changed["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    path.write_text(json.dumps(changed))


def settings_of(artifact: Path) -> dict[str, Any]:
    """Returns the settings of the manifest."""
    settings: dict[str, Any] = json.loads((artifact / "manifest.json").read_text())
    return settings


def test_the_model_id(artifact: Path) -> None:
    """The model id is the name and eight digits of a digest of the weights."""
    name, _, digits = read_manifest(artifact).model_id.rpartition("-")
    assert ("tiny", 8) == (name, len(digits))


def test_another_level_is_another_model(artifact: Path) -> None:
    """The same network has another model id if its front end levels clips: its embeddings are others."""
    manifest = read_manifest(artifact)
    levelled = replace(manifest, features=replace(manifest.features, level_dbfs=-17.0))
    assert write_manifest(artifact, levelled).model_id != manifest.model_id
    assert levelled.features == read_manifest(artifact).features


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(ArtifactError, match=f"no model in {tmp_path}"):
        read_manifest(tmp_path)


def test_a_changed_file(artifact: Path) -> None:
    """A single flipped bit in the network is found."""
    path = artifact / "saved_model" / "saved_model.pb"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=r"saved_model\.pb is not the file"):
        read_manifest(artifact)


def test_a_missing_file(artifact: Path) -> None:
    """A file that the manifest names has to exist."""
    (artifact / "saved_model" / "saved_model.pb").unlink()
    with pytest.raises(ArtifactDamaged, match="missing"):
        read_manifest(artifact)


def test_another_front_end(artifact: Path) -> None:
    """Settings with another fingerprint are refused, and the error has both fingerprints."""
    edit(artifact, {"features": settings_of(artifact)["features"] | {"hop": 256}})
    with pytest.raises(FingerprintMismatch, match=r"[0-9a-f]{16}.*023e0d792e451720"):
        read_manifest(artifact)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format_version": 1}', "not json"])
def test_not_a_manifest(artifact: Path, content: str) -> None:
    """Other content in place of the manifest is a damaged artifact, not a crash."""
    (artifact / "manifest.json").write_text(content)
    with pytest.raises(ArtifactDamaged):
        read_manifest(artifact)


def test_another_format(artifact: Path) -> None:
    """The error for a manifest of a later format has both format versions."""
    edit(artifact, {"format_version": 99})
    with pytest.raises(ArtifactError, match="format 99"):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["labels", "temperature", "windows", "files", "name", "sha256"])
def test_a_changed_manifest(artifact: Path, name: str) -> None:
    """The digest covers every setting: labels in another order would make every prediction wrong."""
    value = settings_of(artifact)[name]
    edit(artifact, {name: list(reversed(value)) if isinstance(value, list) else 3}, update_digest=False)
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
        ("tags", ["loud", "loud"]),
        ("tags", ["loud", ""]),
        ("tags", ["loud", 3]),
        ("tags", "loud"),
        ("novelty_limit", "3"),
        ("novelty_limit", True),
        ("tags", None),
        ("name", ""),
        ("metrics", []),
        ("metrics", {"accuracy": float("nan")}),
        ("metrics", {"log_loss": float("inf")}),
        ("metrics", {"log_loss": "0.5"}),
        ("novelty_limit", float("nan")),
        ("files", []),
        ("files", {"saved_model/saved_model.pb": "short"}),
        ("split_digest", None),
        ("fingerprint", None),
    ],
)
def test_a_setting_out_of_its_range(artifact: Path, name: str, value: object) -> None:
    """The error names a setting of the wrong type or out of range."""
    edit(artifact, {name: value})
    with pytest.raises(ArtifactDamaged, match=f"{name} is not "):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["windows", "labels", "features", "fingerprint", "metrics", "split_digest", "files"])
def test_a_missing_setting(artifact: Path, name: str) -> None:
    """No setting has a default."""
    edit(artifact, {}, remove=name)
    with pytest.raises(ArtifactDamaged, match=f"missing or unknown: {name}"):
        read_manifest(artifact)


def test_tags(artifact: Path) -> None:
    """The names of the tags come back in their order, and the model id stays the same."""
    manifest = read_manifest(artifact)
    tagging = write_manifest(artifact, replace(manifest, tags=("loud", "Mellow", "80s")))
    assert ("loud", "Mellow", "80s") == read_manifest(artifact).tags
    assert manifest.model_id == tagging.model_id


def test_a_manifest_without_tags(artifact: Path) -> None:
    """Without tags the manifest is one that earlier versions wrote and can read."""
    assert "tags" not in settings_of(artifact)
    assert () == read_manifest(artifact).tags


def test_more_tags_than_features(artifact: Path) -> None:
    """Each tag is a number of a window's features."""
    width = read_manifest(artifact).feature_width
    edit(artifact, {"tags": [f"tag {number}" for number in range(width)]})
    assert width == len(read_manifest(artifact).tags)
    edit(artifact, {"tags": [f"tag {number}" for number in range(width + 1)]})
    with pytest.raises(ArtifactDamaged, match=rf"has {width + 1} tags, more than its feature_width of {width}"):
        read_manifest(artifact)


def test_an_unknown_setting(artifact: Path) -> None:
    """A setting that this version does not know is refused, not ignored."""
    edit(artifact, {"gain": 3})
    with pytest.raises(ArtifactDamaged, match="missing or unknown: gain"):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["floor_db", "grid", "scale"])
def test_a_missing_setting_of_the_front_end(artifact: Path, name: str) -> None:
    """The settings of the front end have no defaults either."""
    features = settings_of(artifact)["features"]
    del features[name]
    edit(artifact, {"features": features})
    with pytest.raises(ArtifactDamaged, match=name):
        read_manifest(artifact)


def test_a_manifest_without_digests(artifact: Path) -> None:
    """A manifest that names no files does not permit other weights."""
    path = artifact / "saved_model" / "variables" / "variables.index"
    path.write_bytes(b"other weights")
    edit(artifact, {"files": {}})
    with pytest.raises(ArtifactDamaged, match=r"does not name .*variables\.index"):
        read_manifest(artifact)


def test_an_added_file(artifact: Path) -> None:
    """A file that the manifest does not name is refused by its path; a hidden file of a desktop is not."""
    (artifact / ".DS_Store").touch()
    read_manifest(artifact)
    (artifact / "saved_model" / "manifest.json").touch()
    with pytest.raises(ArtifactDamaged, match=r"does not name saved_model/manifest\.json"):
        read_manifest(artifact)


def test_another_model_id(artifact: Path) -> None:
    """A network cannot have the id of another one, whose catalogue would get wrong embeddings."""
    edit(artifact, {"model_id": "tiny-00000000"})
    with pytest.raises(ArtifactDamaged, match="tiny-00000000, but the network in its folder is tiny-"):
        read_manifest(artifact)


def test_a_novelty_limit(artifact: Path) -> None:
    """The limit comes back, 0 as well; without one, the manifest is one that earlier versions can read."""
    assert "novelty_limit" not in settings_of(artifact)
    assert read_manifest(artifact).novelty_limit is None
    for limit in (0.0, -3.5):
        write_manifest(artifact, replace(read_manifest(artifact), novelty_limit=limit))
        assert limit == read_manifest(artifact).novelty_limit
