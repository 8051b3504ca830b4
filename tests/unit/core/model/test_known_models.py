from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from segue.core.catalogue.identity import Identity
from segue.core.errors import ArtifactError
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.model.known_models import find_model, remember_model
from segue.core.paths import default_model, resolve_model


def built_by(folder: Path) -> Identity:
    """The identity of a catalogue that a model built."""
    return Identity("uuid", *read_manifest(folder).key)


def test_without_a_catalogue(tmp_path: Path) -> None:
    """Without a catalogue, it is the default model."""
    assert default_model() == find_model(None, tmp_path)


def test_a_shipped_model(tmp_path: Path) -> None:
    """A model that ships is found without being remembered."""
    fast = resolve_model("segue-fast")
    remember_model(tmp_path, fast, read_manifest(fast).model_id)
    assert fast.resolve() == find_model(built_by(fast), tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_a_model_of_the_user(tmp_path: Path, tiny_model: Path) -> None:
    """A model that was used in the data folder is found, also if it was named by a relative path, and used twice."""
    identity = built_by(tiny_model)
    for _ in range(2):
        remember_model(tmp_path, tiny_model, identity.model_id)
    assert tiny_model.resolve() == find_model(identity, tmp_path)


def test_a_model_that_moved(tmp_path: Path, tiny_model: Path) -> None:
    """A model that is used from another folder is found there from then on."""
    identity = built_by(tiny_model)
    moved = tmp_path / "moved"
    shutil.copytree(tiny_model, moved)
    remember_model(tmp_path, tiny_model, identity.model_id)
    remember_model(tmp_path, moved, identity.model_id)
    assert moved.resolve() == find_model(identity, tmp_path)


def test_a_model_that_is_gone(tmp_path: Path, tiny_model: Path) -> None:
    """A model that was removed, or whose folder has another one now, is named in the error."""
    identity = built_by(tiny_model)
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    remember_model(tmp_path, folder, identity.model_id)
    write_manifest(folder, replace(read_manifest(folder), name="other"))
    with pytest.raises(ArtifactError, match=f"built by the model {identity.model_id}, which is not here. Name its fo"):
        find_model(identity, tmp_path)
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match="which is not here"):
        find_model(identity, tmp_path)


def test_a_model_of_an_earlier_version(tmp_path: Path) -> None:
    """The message says how to move the catalogue to the model of the same name that ships now."""
    with pytest.raises(ArtifactError, match=r"or use .*: segue-indexer reindex --model segue-accurate analyzes"):
        find_model(Identity("uuid", "segue-accurate-01234567", "f" * 16, 110), tmp_path)


@pytest.mark.parametrize("model_id", ["", "..", "a/b", "n" * 300, "\0"])
def test_an_odd_model_id(tmp_path: Path, model_id: str, tiny_model: Path) -> None:
    """A model id from a store that cannot be a file name is not found, and cannot be remembered."""
    remember_model(tmp_path, tiny_model, model_id)
    with pytest.raises(ArtifactError, match="which is not here"):
        find_model(Identity("uuid", model_id, "f" * 16, 8), tmp_path)
