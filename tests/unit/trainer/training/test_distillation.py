from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.config import FeatureConfig
from segue.trainer.cli.main import main
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.errors import DataUnusable
from segue.trainer.training.batches import ClipBatches
from segue.trainer.training.distillation import attach_teacher_tags, nearest_patches, soft_targets
from segue.trainer.training.plans import Augmentation

LABELS = ("high", "low")


@pytest.fixture
def tagged() -> Dataset:
    """Four clips of each of two genres whose tags separate them, except for the last, whose tags are of the other."""
    random = np.random.default_rng(0)
    silence = np.full((128, 387), -60, np.float32)

    def clip(genre: str, number: int, tagged_as: str) -> Clip:
        tags = random.uniform(0.0, 0.2, (4, 3)).astype(np.float32)
        tags[:, LABELS.index(tagged_as)] += 0.7
        return Clip(f"{genre}.{number:05}", genre, silence, tags)

    clips = [clip(genre, number, genre) for genre in LABELS for number in range(4)]
    return Dataset((*clips[:-1], clip("low", 3, "high")))


def test_a_window_gets_the_values_of_the_nearest_patch() -> None:
    """The first window gets those of the first patch, the last window those of the last."""
    patches = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert np.array_equal(patches[[0, 1, 2, 3]], nearest_patches(patches, np.array([0.0, 0.3, 0.6, 1.0])))
    assert np.array_equal(patches[[0, 0]], nearest_patches(patches[:1], np.array([0.0, 1.0])))


def test_tags_replace_part_of_a_target(tagged: Dataset) -> None:
    """Clips whose tags fit their genre keep it; the target of one whose tags do not fit is shared between both."""
    targets = soft_targets(tagged, LABELS, 0.6)
    assert all((4, 2) == target.shape for target in targets)
    np.testing.assert_allclose(np.concatenate(targets).sum(1), 1, atol=1e-5)
    for clip, target in list(zip(tagged.clips, targets, strict=True))[:-1]:
        assert target[:, LABELS.index(clip.genre)].min() > 0.6
    own = targets[-1][:, LABELS.index("low")]
    assert own.min() >= 0.4
    assert own.max() < 0.7


def test_a_weight_of_zero_changes_nothing(tagged: Dataset) -> None:
    """The target of every clip is its genre."""
    for clip, target in zip(tagged.clips, soft_targets(tagged, LABELS, 0.0), strict=True):
        assert np.array_equal(np.tile(np.eye(2)[LABELS.index(clip.genre)], (4, 1)), target)


def test_clips_without_tags_have_their_genre_as_target(tagged: Dataset, noisy_dataset: Dataset) -> None:
    """That holds among clips with tags and without any, and for all clips where too few have tags."""
    untagged = replace(tagged.clips[0], tags=None)
    assert np.array_equal([[1, 0]], soft_targets(Dataset((*tagged.clips, untagged)), LABELS, 0.6)[-1])
    few = Dataset(tagged.clips[3:5] + noisy_dataset.clips)
    for dataset in (noisy_dataset, few):
        for clip, target in zip(dataset.clips, soft_targets(dataset, LABELS, 0.6), strict=True):
            assert np.array_equal([np.eye(2)[LABELS.index(clip.genre)]], target)


def test_a_clip_without_a_label_has_its_teacher_s_posterior(tagged: Dataset) -> None:
    """The targets of the other clips are the same as without it."""
    posterior = np.array([[0.2, 0.8], [0.4, 0.6]], np.float32)
    taught = replace(tagged.clips[0], track="unlabelled", tags=None, posterior=posterior)
    *others, last = soft_targets(Dataset((*tagged.clips, taught)), LABELS, 0.6)
    assert np.array_equal(posterior, last)
    for expected, target in zip(soft_targets(tagged, LABELS, 0.6), others, strict=True):
        assert np.array_equal(expected, target)


def test_batches_have_the_targets_of_the_nearest_patches(noisy_dataset: Dataset) -> None:
    """A clip's target is the mean of its patches, and the windows are those of a run without a teacher."""
    config, means = FeatureConfig(), np.full(128, -30, np.float32)
    gradual = np.linspace([1, 0], [0, 1], 5, dtype=np.float32)
    (inputs, targets), (plain, _) = (
        ClipBatches(noisy_dataset, soft, config, means, augmentation=Augmentation(), clips=6, windows=3, seed=0)[0]
        for soft in ([gradual] * 6, soft_targets(noisy_dataset, LABELS, 0.0))
    )
    assert np.array_equal(plain["windows"], inputs["windows"])
    np.testing.assert_allclose(np.full((6, 2), 0.5), targets["clip"])
    assert (np.diff(targets["window"][..., 1], axis=1) >= 0).all()
    assert targets["window"][..., 1].min() < 0.5 < targets["window"][..., 1].max()


def test_a_teacher_of_other_tracks_is_refused(noisy_dataset: Dataset) -> None:
    """The message names a track of each side, since the file of tags is probably the wrong one."""
    tags = dict.fromkeys(("pop.00000", "rock.00000"), np.zeros((2, 5), np.float32))
    with pytest.raises(DataUnusable, match=r"low\.00000.*pop\.00000"):
        attach_teacher_tags(noisy_dataset, tags)


def test_the_paper_s_networks_have_no_teacher(tmp_path: Path) -> None:
    """The option is refused before anything is read."""
    options = ["--input", str(tmp_path), "--output", str(tmp_path / "out"), "--network", "paper-cnn"]
    refused = CliRunner().invoke(main, ["train", *options, "--tags", str(tmp_path / "tags.npz")])
    assert 2 == refused.exit_code
    assert "trains on genres alone" in refused.stderr
