from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.trainer.comparison.run_results import CLIPS, MEASURES, RunResults, has_results, read_results
from segue.trainer.comparison.runs import COMBINED, Run, planned_runs
from segue.trainer.data.dataset import Clip, Dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import TRAIN, VALID, Split

RUN = Run("fault-filtered", COMBINED, 0)


def make_data(*validation: str) -> TrainValidSplit:
    """Makes a split with two training clips and the named validation clips."""
    sides = {"a.0": TRAIN, "b.0": TRAIN, **dict.fromkeys(validation, VALID)}
    random = np.random.default_rng(0)
    clips = (Clip(track, track[0], random.random((128, 39), np.float32)) for track in sides)
    return TrainValidSplit.of(Dataset(tuple(clips)), Split("drawn", sides))


def save(folder: Path) -> RunResults:
    """Saves the results of joined networks for two clips."""
    measures = {name: np.array([place / 3, 1.0]) for place, name in enumerate(MEASURES)}
    results = RunResults(RUN, make_data("a.1", "b.1").split.digest, None, ("a.1", "b.1"), measures)
    results.save(folder)
    return results


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    """They keep five digits."""
    assert not has_results(RUN, tmp_path)
    saved = save(tmp_path)
    assert has_results(RUN, tmp_path)
    read = read_results(RUN, tmp_path, make_data("a.1", "b.1"))
    assert saved.clips == read.clips
    for name in MEASURES:
        np.testing.assert_allclose(saved.measures[name], read.measures[name], rtol=1e-4)


def test_results_of_other_clips_are_refused(tmp_path: Path) -> None:
    """Figures of other clips would be compared as if they were of the same."""
    save(tmp_path)
    with pytest.raises(SplitMismatch, match="that are not the 2 of drawn"):
        read_results(RUN, tmp_path, make_data("a.1", "a.2"))


@pytest.mark.parametrize("text", ["", "clip\taccuracy\na.1\t1\n", "clip\t" + "\t".join(MEASURES) + "\na.1\tx\n"])
def test_damaged_results_are_named(text: str, tmp_path: Path) -> None:
    """An empty file, missing columns and words for numbers are named with the file."""
    save(tmp_path)
    (RUN.folder(tmp_path) / CLIPS).write_text(text)
    with pytest.raises((DataUnusable, SplitMismatch), match="paper-cnn"):
        read_results(RUN, tmp_path, make_data("a.1", "b.1"))


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_figures_that_are_not_finite_are_refused(number: str, tmp_path: Path) -> None:
    """A mean over them would be no number."""
    save(tmp_path)
    path = RUN.folder(tmp_path) / CLIPS
    path.write_text(path.read_text().replace("\t1\t", f"\t{number}\t", 1))
    with pytest.raises(DataUnusable, match="not finite"):
        read_results(RUN, tmp_path, make_data("a.1", "b.1"))


def test_results_that_were_moved_are_refused(tmp_path: Path) -> None:
    """Joined networks have no record, but their results say which seed and which split they are of."""
    save(tmp_path)
    other = replace(RUN, seed=1)
    RUN.folder(tmp_path).rename(other.folder(tmp_path))
    with pytest.raises(DataUnusable, match="of another network, seed or split"):
        read_results(other, tmp_path, make_data("a.1", "b.1"))
    save(tmp_path)
    data = make_data("a.1", "b.1")
    data = replace(data, split=Split("drawn", {**data.split.sides, "a.9": TRAIN}))
    with pytest.raises(DataUnusable, match="of another network, seed or split"):
        read_results(RUN, tmp_path, data)


def test_a_single_network_needs_its_record(tmp_path: Path) -> None:
    """Without a record, its seed and its settings would be unknown."""
    run = Run("fault-filtered", "paper-cnn", 0)
    save(tmp_path)
    RUN.folder(tmp_path).rename(run.folder(tmp_path))
    with pytest.raises(DataUnusable, match="has no record"):
        read_results(run, tmp_path, make_data("a.1", "b.1"))


def test_the_paper_is_measured_on_both_splits_with_three_seeds() -> None:
    """All networks of one seed come first; a window of 30 s cannot be part of a leaky split."""
    honest, leaky = planned_runs().values()
    assert (18, 15) == (len(honest), len(leaky))
    assert {0} == {run.seed for run in honest[:6]}
    assert "paper-cnn-lstm-30s" not in {run.network for run in leaky}
    assert [RUN.split] * 2 == [member.split for member in RUN.members]
