from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.artifact import read_manifest
from segue.core.features import FeatureConfig
from segue.trainer.batches import Augmentation, ClipBatches
from segue.trainer.cli import main
from segue.trainer.data import Dataset
from segue.trainer.errors import DataUnusable
from segue.trainer.teacher import read_teacher, tag_loss, tags_at, teach

LABELS = ("high", "low")


@pytest.fixture
def write_tags(tmp_path: Path) -> Callable[..., Path]:
    """What writes three tags of four patches for each of two tracks; a keyword replaces a field, None leaves it out."""

    def write(**fields: Any) -> Path:  # noqa: ANN401 - any field of an npz
        tags = np.linspace(0, 1, 24, dtype=np.float32).reshape(8, 3)
        whole = {"tags": tags, "track": np.repeat(["low.00000", "high.00001"], 4)} | fields
        path = tmp_path / "tags.npz"
        np.savez(path, **{name: field for name, field in whole.items() if field is not None})
        return path

    return write


def test_a_window_has_the_tags_of_the_nearest_patch(noisy_dataset: Dataset, write_tags: Callable[..., Path]) -> None:
    """The first window those of the first patch, the last those of the last; NaN where nobody taught the clip."""
    teacher = read_teacher(write_tags())
    clips = {clip.track: clip for clip in teach(noisy_dataset, teacher).clips}
    places = np.array([0.0, 0.3, 0.6, 1.0])
    assert np.array_equal(teacher["high.00001"][[0, 1, 2, 3]], tags_at(clips["high.00001"], places, 3))
    assert np.isnan(tags_at(clips["low.00001"], places, 3)).all()


def test_what_nobody_taught_costs_nothing() -> None:
    """Where a tag is not known the loss is 0 and so is its slope, else it is the cross-entropy."""
    loss = tag_loss(np.array([[1.0, 0.0, np.nan]], np.float32), np.array([[0.0, 2.0, 50.0]], np.float32))
    np.testing.assert_allclose([[np.log(2), np.log1p(np.exp(2)), 0]], loss, rtol=1e-5)


@pytest.mark.parametrize("mixed", [0.0, 0.4])
def test_batches_hold_the_tags_of_their_windows(
    noisy_dataset: Dataset, write_tags: Callable[..., Path], mixed: float
) -> None:
    """Taught clips have tags and the others NaN, and the windows themselves are those of a run without a teacher."""
    config, means = FeatureConfig(), np.full(128, -30, np.float32)
    taught, plain = (
        ClipBatches(dataset, LABELS, config, means, augmentation=Augmentation(mixed=mixed), clips=6, windows=3, seed=0)
        for dataset in (teach(noisy_dataset, read_teacher(write_tags())), noisy_dataset)
    )
    inputs, targets = taught[0]
    assert np.array_equal(plain[0][0]["windows"], inputs["windows"])
    assert {"clip", "window"} == set(plain[0][1])
    assert (6, 3, 3) == targets["tags"].shape
    known = np.isfinite(targets["tags"]).all((1, 2))
    assert known.sum() == 2 or (mixed and known.sum() <= 2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tags": None}, "lacks tags or track"),
        ({"tags": np.full((8, 3), 1.5, np.float32)}, r"numbers in \[0, 1\]"),
        ({"tags": np.full((8, 3), np.nan, np.float32)}, r"numbers in \[0, 1\]"),
        ({"tags": np.zeros(8, np.float32)}, "shape"),
        ({"tags": np.zeros((8, 3), np.int64)}, "shape"),
        ({"track": np.array(["low.00000"])}, "shape"),
    ],
)
def test_a_damaged_file_of_tags_is_a_sentence(
    write_tags: Callable[..., Path], fields: dict[str, Any], said: str
) -> None:
    """The message names the file and what is wrong with it."""
    with pytest.raises(DataUnusable, match=said) as refused:
        read_teacher(write_tags(**fields))
    assert "tags.npz" in str(refused.value)


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_what_is_no_file_of_tags_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, and one that is something else."""
    if content:
        (tmp_path / "tags.npz").write_bytes(content)
    with pytest.raises(DataUnusable, match="is not a file of tags"):
        read_teacher(tmp_path / "tags.npz")


def test_a_teacher_of_other_tracks_is_refused(noisy_dataset: Dataset, write_tags: Callable[..., Path]) -> None:
    """Tags of nothing that is learnt from are a mistake, and both sides' names show it."""
    teacher = read_teacher(write_tags(track=np.repeat(["pop.00000", "rock.00000"], 4)))
    with pytest.raises(DataUnusable, match=r"pop\.00000.*low\.00000"):
        teach(noisy_dataset, teacher)


def test_the_paper_s_networks_have_no_teacher(write_tags: Callable[..., Path], tmp_path: Path) -> None:
    """The option is refused before anything is read."""
    options = ["--input", str(tmp_path), "--output", str(tmp_path / "out"), "--network", "paper-cnn"]
    refused = CliRunner().invoke(main, ["train", *options, "--tags", str(write_tags())])
    assert 2 == refused.exit_code
    assert "learns from genres alone" in refused.stderr


def test_a_taught_run_says_so_and_leaves_no_trace_in_what_is_served(
    write_archive: Callable[..., Path], write_tags: Callable[..., Path], tmp_path: Path
) -> None:
    """The card counts the taught clips, and the features are as wide as those of a run without a teacher."""
    tracks = [f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)]
    teacher = write_tags(tags=np.random.default_rng(0).random((12, 5)), track=np.repeat(tracks, 2))
    options = ["--input", str(write_archive()), "--tags", str(teacher), "--epochs", "1"]
    trained = CliRunner().invoke(main, ["train", *options, "--output", str(tmp_path / "out")], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    assert "4 of the clips to learn from have 5 tags" in trained.stderr
    assert "4 of the clips had tags of another network" in (tmp_path / "out" / "model-card.md").read_text()
    assert 96 + 2 == read_manifest(tmp_path / "out").feature_width
