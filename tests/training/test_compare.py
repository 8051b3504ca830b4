from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.features.config import FeatureConfig
from segue.trainer.cli.main import main
from segue.trainer.comparison.measure import measures_of
from segue.trainer.comparison.readme_table import BEGIN, END, write_summary
from segue.trainer.comparison.results_page import Section, page, verdict
from segue.trainer.comparison.rows import MEASURES, Estimate, Row, Run
from segue.trainer.data.dataset import Dataset
from segue.trainer.evaluation.baselines import band_statistics, chance, regression_on_bands
from segue.trainer.evaluation.metrics import bootstrap_interval
from segue.trainer.networks.segue_fast import BandScale, Shape
from segue.trainer.networks.window_statistics import build_statistics
from segue.trainer.splits.split import shipped_split

CHANCE = {"accuracy": 0.5, "log_loss": 0.693, "precision": 0.5}


def row(name: str, right: float, seeds: tuple[int, ...] = (0,)) -> Row:
    """A network that is right so often, with measures that go along."""
    clips = (np.arange(200) < 200 * right).astype(float)
    tracks = tuple(f"a.{number:05}" for number in range(200))
    return Row(name, seeds, tracks, dict.fromkeys(MEASURES, clips), "some layer", (12,), (7.4,))


def section(*rows: Row, label: str = "fault-filtered") -> Section:
    """A split with two networks wanted by two seeds."""
    wanted = tuple(Run(label, name, seed) for name in ("paper-cnn", "paper-cnn-lstm") for seed in (0, 1))
    baselines = (row("regression", 0.5, ()), row("the same, by its posterior", 0.6, ()))
    return Section(label, "ab" * 32, 10, 200, rows, baselines, CHANCE, wanted)


def test_what_was_not_run_is_said() -> None:
    """A network without an artifact, and a seed that is missing, are UNMEASURED, and no claim is made of them."""
    text = page([section(row("paper-cnn", 0.6))], "again")
    (lstm,) = [line for line in text.splitlines() if line.startswith("| paper-cnn-lstm")]
    (cnn,) = [line for line in text.splitlines() if line.startswith("| paper-cnn |")]
    assert 7 == lstm.count("UNMEASURED")
    assert "| 0 (1 UNMEASURED) | 0.600 [" in cnn
    assert "paper-cnn-lstm above paper-cnn, accuracy: UNMEASURED" in text


@pytest.mark.parametrize(
    ("right", "said"),
    [(0.9, "accuracy: holds, a gain of +0.300"), (0.2, "accuracy: does not hold"), (0.6, "cannot be told")],
)
def test_the_paper_s_claim_is_judged(right: float, said: str) -> None:
    """By the interval of the difference, clip by clip, in words that take a side only where it does."""
    text = page([section(row("paper-cnn", 0.6), row("paper-cnn-lstm", right))], "again")
    assert said in text


def test_less_loss_is_better() -> None:
    """A log-loss that is higher speaks against a network."""
    text = page([section(row("paper-cnn", 0.6), row("paper-cnn-lstm", 0.9))], "again")
    assert "log-loss: does not hold" in text


def test_a_leaky_split_and_the_paper_s_figures_are_on_the_page() -> None:
    """The reader is warned above the table, and sees what the paper has."""
    text = page([section(label="chunk-random (LEAKY)")], "segue-trainer compare --train")
    assert "**LEAKY**" in text
    for part in ("| CNN, split not stated | 0.62 | 2.413 |", "0.68 | 1.77", "segue-trainer compare --train", "chance"):
        assert part in text


@pytest.mark.parametrize(("low", "high", "holds"), [(0.1, 0.2, True), (-0.2, -0.1, False), (-0.1, 0.1, False)])
def test_an_order_holds_where_its_interval_is_above_zero(low: float, high: float, holds: bool) -> None:
    """An interval with zero in it tells nothing."""
    assert holds == (verdict(Estimate((low + high) / 2, low, high)) == "holds")


def test_chunks_of_one_track_are_drawn_together() -> None:
    """Two hundred chunks of twenty tracks tell no more than twenty values do."""
    values = np.repeat(np.arange(20) % 2, 10).astype(float)
    chunks = [f"a.{number // 10:05}#{number % 10 * 3:02}s" for number in range(200)]
    assert pytest.approx(bootstrap_interval(values[::10]), abs=1e-9) == bootstrap_interval(values, chunks)
    assert bootstrap_interval(values, chunks)[0] < bootstrap_interval(values)[0]


def test_the_short_table_is_put_between_its_marks(tmp_path: Path) -> None:
    """The rest of the page stays, the paper's figures and claims are there, and a second time changes nothing."""
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    sections = [section(row("paper-cnn", 0.6)), section(label="chunk-random (LEAKY)")]
    for _ in range(2):
        write_summary(readme, sections)
    text = readme.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nThe end.\n")
    assert "old" not in text
    for part in (
        "| the paper's CNN | not stated | 0.62 | 2.413 |",
        "| paper-cnn | fault-filtered, 1 seed | 0.600 [",
        "| paper-cnn | chunk-random (LEAKY) | UNMEASURED |",
        "| some layer |",
        "paper-cnn-lstm above paper-cnn, P@10: UNMEASURED",
    ):
        assert part in text


def test_a_page_without_marks_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    """The message has the lines that it needs."""
    (tmp_path / "README.md").write_text("# Title\n")
    options = ["--input", "nowhere", "--runs", str(tmp_path), "--output", str(tmp_path / "results.md")]
    result = CliRunner().invoke(main, ["compare", *options, "--readme", str(tmp_path / "README.md")])
    assert 1 == result.exit_code
    assert BEGIN in result.stderr


def test_the_statistics_are_those_of_the_network() -> None:
    """Mean, spread and step of each band, as the linear path of segue-fast has them first, before it scales."""
    windows = -60 * np.random.default_rng(0).random((3, 128, 39), np.float32)
    scale = BandScale(np.zeros(128, np.float32), np.ones(128, np.float32))
    expected = build_statistics(Shape(128, 39, 2), scale)(windows).numpy()[:, : 3 * 128]
    np.testing.assert_allclose(expected, band_statistics(windows), rtol=1e-4, atol=1e-4)


def test_the_regression_tells_plain_genres_apart(noisy_dataset: Dataset) -> None:
    """Noise with other high bands is told apart, and recommended, without a fault."""
    judged, pool = regression_on_bands(noisy_dataset, noisy_dataset, ("high", "low"), FeatureConfig())
    measured = measures_of(judged, pool, 1.0)
    assert 1.0 == measured["accuracy"].mean()
    assert pytest.approx(1.0, abs=1e-5) == np.linalg.norm(judged.embedding[0])
    assert {"accuracy": 0.5, "log_loss": pytest.approx(np.log(2)), "precision": 0.5} == chance(judged, pool)


def test_measured_networks_stand_on_the_page(write_archive: Callable[..., Path], tmp_path: Path) -> None:
    """An artifact under --runs is judged; those that are not there are UNMEASURED; another split's is refused."""
    split = shipped_split("fault-filtered")
    tracks = [
        [track for track in sorted(split.sides) if track.startswith(genre) and split.side(track) == side][place]
        for genre in ("blues", "rock")
        for side in ("train", "valid")
        for place in range(10)
    ]
    codes = np.random.default_rng(0).integers(0, 256, (len(tracks), 128, 387), np.uint8)
    genres = np.array([track.split(".")[0] for track in tracks])
    archive = write_archive(X=codes, track=np.array(tracks), genre=genres)
    run, output = tmp_path / "runs" / "fault-filtered" / "paper-cnn-s0", tmp_path / "results.md"
    options = ["--input", str(archive), "--split", "fault-filtered", "--network", "paper-cnn", "--epochs", "1"]
    trained = CliRunner().invoke(main, ["train", *options, "--output", str(run)], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    compare = ["compare", "--input", str(archive), "--runs", str(tmp_path / "runs"), "--output", str(output)]
    assert 0 == CliRunner().invoke(main, compare, catch_exceptions=False).exit_code
    text = output.read_text()
    assert "| paper-cnn | 0 (1, 2 UNMEASURED) |" in text
    assert "| paper-cnn-lstm | 0, 1, 2 | UNMEASURED" in text
    named_wrongly = run.rename(run.with_name("paper-cnn-s1"))
    refused = CliRunner().invoke(main, compare)
    assert 1 == refused.exit_code
    assert "holds paper-cnn of seed 0, not paper-cnn of seed 1" in " ".join(refused.stderr.split())
    named_wrongly.rename(tmp_path / "runs" / "other")
    (tmp_path / "runs" / "chunk-random").mkdir()
    (tmp_path / "runs" / "other").rename(tmp_path / "runs" / "chunk-random" / "paper-cnn-s0")
    refused = CliRunner().invoke(main, compare)
    assert 1 == refused.exit_code
    assert "was trained by the split" in refused.stderr
