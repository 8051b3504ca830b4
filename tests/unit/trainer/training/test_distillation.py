from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import read_manifest
from segue.trainer.cli.main import main
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.tag_file import read_tag_file, write_tag_file
from segue.trainer.errors import DataUnusable
from segue.trainer.training.batches import ClipBatches
from segue.trainer.training.distillation import attach_teacher_tags, nearest, soft_targets
from segue.trainer.training.plans import Augmentation

LABELS = ("high", "low")


@pytest.fixture
def write_tags(tmp_path: Path) -> Callable[..., Path]:
    """What writes random tags of two patches for each of some tracks."""

    def write(*tracks: str) -> Path:
        tags = np.random.default_rng(0).random((2, 5), np.float32)
        write_tag_file(tmp_path / "tags.npz", dict.fromkeys(tracks, tags))
        return tmp_path / "tags.npz"

    return write


@pytest.fixture
def taught() -> Dataset:
    """Four clips of each of two genres whose tags tell them apart, but for the last, which sounds like the others."""
    random = np.random.default_rng(0)
    silence = np.full((128, 387), -60, np.float32)

    def clip(genre: str, number: int, sounds: str) -> Clip:
        tags = random.uniform(0.0, 0.2, (4, 3)).astype(np.float32)
        tags[:, LABELS.index(sounds)] += 0.7
        return Clip(f"{genre}.{number:05}", genre, silence, tags)

    clips = [clip(genre, number, genre) for genre in LABELS for number in range(4)]
    return Dataset((*clips[:-1], clip("low", 3, "high")))


def test_a_window_has_what_the_nearest_patch_has() -> None:
    """The first window that of the first patch, the last that of the last."""
    patches = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert np.array_equal(patches[[0, 1, 2, 3]], nearest(patches, np.array([0.0, 0.3, 0.6, 1.0])))
    assert np.array_equal(patches[[0, 0]], nearest(patches[:1], np.array([0.0, 1.0])))


def test_a_clip_is_learnt_in_part_as_what_its_tags_sound_like(taught: Dataset) -> None:
    """Most clips stay what they are; one that sounds otherwise is learnt as both, as far as the teacher is trusted."""
    beliefs = soft_targets(taught, LABELS, 0.6)
    assert all(belief.shape == (4, 2) for belief in beliefs)
    np.testing.assert_allclose(np.concatenate(beliefs).sum(1), 1, atol=1e-5)
    for clip, belief in list(zip(taught.clips, beliefs, strict=True))[:-1]:
        assert belief[:, LABELS.index(clip.genre)].min() > 0.6
    own = beliefs[-1][:, LABELS.index("low")]
    assert own.min() >= 0.4
    assert own.max() < 0.7


def test_a_teacher_that_is_not_trusted_changes_nothing(taught: Dataset) -> None:
    """By a trust of 0 every clip is learnt as its genre."""
    for clip, belief in zip(taught.clips, soft_targets(taught, LABELS, 0.0), strict=True):
        assert np.array_equal(np.tile(np.eye(2)[LABELS.index(clip.genre)], (4, 1)), belief)


def test_what_nobody_taught_is_its_genre(taught: Dataset, noisy_dataset: Dataset) -> None:
    """Clips without tags are learnt as before, beside taught ones or alone, and so are all where few are taught."""
    plain = replace(taught.clips[0], tags=None)
    assert np.array_equal([[1, 0]], soft_targets(Dataset((*taught.clips, plain)), LABELS, 0.6)[-1])
    few = Dataset(taught.clips[3:5] + noisy_dataset.clips)
    for dataset in (noisy_dataset, few):
        for clip, belief in zip(dataset.clips, soft_targets(dataset, LABELS, 0.6), strict=True):
            assert np.array_equal([np.eye(2)[LABELS.index(clip.genre)]], belief)


def test_batches_learn_windows_as_the_patches_beside_them(noisy_dataset: Dataset) -> None:
    """A window's target is its patch's, a clip's the mean, and the windows are those of a run without a teacher."""
    config, means = FeatureConfig(), np.full(128, -30, np.float32)
    gradual = np.linspace([1, 0], [0, 1], 5, dtype=np.float32)
    (inputs, targets), (plain, _) = (
        ClipBatches(noisy_dataset, beliefs, config, means, augmentation=Augmentation(), clips=6, windows=3, seed=0)[0]
        for beliefs in ([gradual] * 6, soft_targets(noisy_dataset, LABELS, 0.0))
    )
    assert np.array_equal(plain["windows"], inputs["windows"])
    np.testing.assert_allclose(np.full((6, 2), 0.5), targets["clip"])
    assert (np.diff(targets["window"][..., 1], axis=1) >= 0).all()
    assert targets["window"][..., 1].min() < 0.5 < targets["window"][..., 1].max()


def test_a_teacher_of_other_tracks_is_refused(noisy_dataset: Dataset, write_tags: Callable[..., Path]) -> None:
    """Tags of nothing that is learnt from are a mistake, and both sides' names show it."""
    teacher = read_tag_file(write_tags("pop.00000", "rock.00000"))
    with pytest.raises(DataUnusable, match=r"pop\.00000.*low\.00000"):
        attach_teacher_tags(noisy_dataset, teacher)


def test_the_paper_s_networks_have_no_teacher(write_tags: Callable[..., Path], tmp_path: Path) -> None:
    """The option is refused before anything is read."""
    options = ["--input", str(tmp_path), "--output", str(tmp_path / "out"), "--network", "paper-cnn"]
    refused = CliRunner().invoke(main, ["train", *options, "--tags", str(write_tags("blues.00000"))])
    assert 2 == refused.exit_code
    assert "learns from genres alone" in refused.stderr


def test_a_taught_run_says_so_and_serves_the_same_widths(
    write_archive: Callable[..., Path], write_tags: Callable[..., Path], tmp_path: Path
) -> None:
    """The card counts the taught clips, and the features are as wide as those of a run without a teacher."""
    teacher = write_tags(*(f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)))
    options = ["--input", str(write_archive()), "--tags", str(teacher), "--epochs", "1"]
    trained = CliRunner().invoke(main, ["train", *options, "--output", str(tmp_path / "out")], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    assert "4 of the clips to learn from have the tags" in trained.stderr
    assert "Of 4 clips the tags of another network were known" in (tmp_path / "out" / "model-card.md").read_text()
    assert 96 + 2 == read_manifest(tmp_path / "out").feature_width
