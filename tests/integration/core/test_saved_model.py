from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.core.errors import ArtifactDamaged
from segue.core.features.extract import extract
from segue.core.model.artifact import Manifest, read_manifest, write_manifest
from segue.core.model.saved_model import Model, Prediction


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    """A loaded network."""
    return Model.load(tiny_model)


def test_answer_is_a_posterior_and_a_direction(model: Model, clips: list[Path]) -> None:
    """Scores sum to 1, the embedding has length 1, and every window has scores of its own."""
    piece = extract(clips[0], model.manifest.features, model.manifest.windows)
    (heard,) = model.predict([piece.windows])
    assert pytest.approx(1, abs=1e-5) == heard.posterior.sum()
    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(heard.embedding)
    assert (len(piece.windows.values), 10) == heard.window_posterior.shape


def test_neighbours_in_a_batch_do_not_matter(model: Model, clips: list[Path]) -> None:
    """A piece is heard alike alone and among nineteen others, more than one batch."""
    pieces = [extract(clip, model.manifest.features, 10 - number % 7).windows for number, clip in enumerate(clips)]
    together = model.predict(pieces)
    for piece, heard in zip(pieces, together, strict=True):
        (alone,) = model.predict([piece])
        assert_same(alone, heard)


def assert_same(expected: Prediction, actual: Prediction) -> None:
    """Two answers agree to rounding."""
    np.testing.assert_allclose(actual.posterior, expected.posterior, atol=1e-5)
    np.testing.assert_allclose(actual.embedding, expected.embedding, atol=1e-5)
    np.testing.assert_allclose(actual.window_posterior, expected.window_posterior, atol=1e-5)


def test_no_pieces(model: Model) -> None:
    """Nothing in, nothing out."""
    assert [] == model.predict([])


def test_not_a_saved_model(tiny_model: Path, tmp_path: Path) -> None:
    """A folder whose digests hold, but which TensorFlow cannot load, is refused with its name."""
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    manifest: Manifest = read_manifest(broken)
    (broken / "saved_model" / "saved_model.pb").write_bytes(b"nonsense")
    write_manifest(broken, manifest)
    with pytest.raises(ArtifactDamaged, match="TensorFlow cannot load"):
        Model.load(broken)


@pytest.mark.parametrize(
    ("name", "value"), [("labels", ("blues", "jazz")), ("embedding_width", 64), ("feature_width", 64), ("windows", 5)]
)
def test_a_graph_of_another_shape(tiny_model: Path, tmp_path: Path, name: str, value: object) -> None:
    """A manifest whose digests hold, but whose widths or labels are not the graph's, is refused before it hears."""
    other = shutil.copytree(tiny_model, tmp_path / "other")
    write_manifest(other, replace(read_manifest(other), **{name: value}))  # type: ignore[arg-type]  # one of four types
    with pytest.raises(ArtifactDamaged, match="does not match its manifest"):
        Model.load(other)
