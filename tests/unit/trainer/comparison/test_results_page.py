from __future__ import annotations

import pytest

from segue.trainer.comparison.results_page import results_page, verdict
from segue.trainer.comparison.rows import Estimate
from tests.helpers.trainer.comparison import make_row, make_section


def test_a_missing_run_is_unmeasured() -> None:
    """A network without an artifact and a missing seed are UNMEASURED, and so are the claims that need them."""
    text = results_page([make_section(make_row("paper-cnn", 0.6))], "command")
    (lstm,) = [line for line in text.splitlines() if line.startswith("| paper-cnn-lstm")]
    (cnn,) = [line for line in text.splitlines() if line.startswith("| paper-cnn |")]
    assert 7 == lstm.count("UNMEASURED")
    assert "| 0 (1 UNMEASURED) | 0.600 [" in cnn
    assert "paper-cnn-lstm above paper-cnn, accuracy: UNMEASURED" in text


@pytest.mark.parametrize(
    ("right", "outcome"),
    [(0.9, "accuracy: holds, a gain of +0.300"), (0.2, "accuracy: does not hold"), (0.6, "accuracy: undecided")],
)
def test_the_paper_s_claim_is_checked(right: float, outcome: str) -> None:
    """The interval of the difference, clip by clip, decides."""
    section = make_section(make_row("paper-cnn", 0.6), make_row("paper-cnn-lstm", right))
    assert outcome in results_page([section], "command")


def test_a_lower_loss_is_better() -> None:
    """A network with a higher log-loss is not above another."""
    section = make_section(make_row("paper-cnn", 0.6), make_row("paper-cnn-lstm", 0.9))
    assert "log-loss: does not hold" in results_page([section], "command")


def test_a_leaky_split_and_the_paper_s_figures_are_on_the_page() -> None:
    """A warning comes before the table of a leaky split, and the page has the paper's figures."""
    text = results_page([make_section(label="chunk-random (LEAKY)", leaky=True)], "segue-trainer compare --train")
    assert "**LEAKY**" in text
    for part in ("| CNN, split not stated | 0.62 | 2.413 |", "0.68 | 1.77", "segue-trainer compare --train", "chance"):
        assert part in text


@pytest.mark.parametrize(("low", "high", "holds"), [(0.1, 0.2, True), (-0.2, -0.1, False), (-0.1, 0.1, False)])
def test_an_order_holds_where_its_interval_is_above_zero(low: float, high: float, holds: bool) -> None:
    """An interval that includes zero decides nothing."""
    assert holds == (verdict(Estimate((low + high) / 2, low, high)) == "holds")
