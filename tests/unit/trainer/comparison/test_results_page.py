from __future__ import annotations

import pytest

from segue.trainer.comparison.results_page import results_page, verdict
from segue.trainer.comparison.section import Section
from segue.trainer.evaluation.artists import Interval
from tests.helpers.trainer.comparison import make_row, make_section


def write_page(*sections: Section) -> str:
    """Writes a page without pictures."""
    return results_page(sections, "segue-trainer compare --train", "kept", {})


def lines_of(text: str, name: str) -> list[str]:
    """The lines of the tables that a network has."""
    return [line for line in text.splitlines() if line.startswith(f"| {name} |")]


def test_a_missing_run_is_unmeasured() -> None:
    """A network without results and a missing seed are UNMEASURED, and so are the claims that need them."""
    text = write_page(make_section(make_row("paper-cnn", 0.6)))
    both, lstm = lines_of(text, "paper-cnn-lstm")
    assert (3, 6) == (both.count("UNMEASURED"), lstm.count("UNMEASURED"))
    assert "| 0 (1 UNMEASURED) | 0.600 [" in lines_of(text, "paper-cnn")[1]
    assert "| fault-filtered | paper-cnn-lstm above paper-cnn | UNMEASURED | UNMEASURED | UNMEASURED |" in text


@pytest.mark.parametrize(
    ("right", "outcome"),
    [(0.9, "holds: +0.300 ["), (0.2, "reversed: -0.400 ["), (0.6, "undecided: +0.000 [")],
)
def test_the_paper_s_claim_is_checked(right: float, outcome: str) -> None:
    """The interval of the difference, clip by clip, decides."""
    text = write_page(make_section(make_row("paper-cnn", 0.6), make_row("paper-cnn-lstm", right)))
    assert f"| paper-cnn-lstm above paper-cnn | {outcome}" in text


def test_a_lower_loss_is_better() -> None:
    """A network with a higher log-loss is not above another."""
    section = make_section(make_row("paper-cnn", 0.6), make_row("paper-cnn-lstm", 0.9))
    (claim,) = [line for line in write_page(section).splitlines() if "paper-cnn-lstm above paper-cnn" in line]
    assert ["holds", "reversed", "holds"] == [cell.split(":")[0].strip() for cell in claim.split("|")[3:6]]


def test_only_common_seeds_are_compared() -> None:
    """Networks without a seed in common are not compared, since seeds differ as much as networks."""
    rows = (make_row("paper-cnn", 0.6, (0, 1)), make_row("paper-cnn-lstm", 0.9, (1,)))
    assert "paper-cnn-lstm above paper-cnn | holds: +0.300" in write_page(make_section(*rows))
    apart = (make_row("paper-cnn", 0.6, (0,)), make_row("paper-cnn-lstm", 0.9, (1,)))
    assert "paper-cnn-lstm above paper-cnn | UNMEASURED" in write_page(make_section(*apart))


def test_networks_on_unlike_chunks_are_not_compared() -> None:
    """Chunks of 6 s are not those of 3 s, so that a difference clip by clip does not exist."""
    rows = (make_row("paper-cnn-lstm", 0.9), make_row("paper-cnn-lstm-6s", 0.9, unit="b"))
    assert "paper-cnn-lstm-6s above" not in write_page(make_section(*rows, label="chunk-random (LEAKY)", leaky=True))
    assert "paper-cnn-lstm-6s above" in write_page(make_section(*rows[:1]))
    assert "paper-cnn-lstm-6s above" not in write_page(make_section(label="chunk-random (LEAKY)", leaky=True))


def test_a_leaky_split_and_the_paper_s_figures_are_on_the_page() -> None:
    """A warning comes before the table of a leaky split, and the page has the paper's figures."""
    text = write_page(make_section(label="chunk-random (LEAKY)", leaky=True))
    assert "**LEAKY**" in text
    for part in (
        "| CNN, split not stated | 0.62 | 2.413 |",
        "0.68 | 1.77",
        "segue-trainer compare --train",
        "chance",
        "[kept](kept)",
    ):
        assert part in text


def test_both_splits_are_side_by_side() -> None:
    """The first table has the honest and the leaky figure of each network in one line."""
    honest = make_section(make_row("paper-cnn", 0.6))
    leaky = make_section(make_row("paper-cnn", 0.9), label="chunk-random (LEAKY)", leaky=True)
    assert (
        "| paper-cnn | 0.600 | 0.900 | 0.600 | 0.900 | 0.600 | 0.900 |"
        == lines_of(write_page(honest, leaky), "paper-cnn")[0]
    )


def test_pictures_of_the_training_are_shown() -> None:
    """Each is shown with its title."""
    text = results_page([make_section()], "command", "kept", {"paper-cnn on fault-filtered": "images/a.png"})
    assert "![paper-cnn on fault-filtered](images/a.png)" in text


@pytest.mark.parametrize(("low", "high", "holds"), [(0.1, 0.2, True), (-0.2, -0.1, False), (-0.1, 0.1, False)])
def test_an_order_holds_where_its_interval_is_above_zero(low: float, high: float, holds: bool) -> None:
    """An interval that includes zero decides nothing."""
    assert holds == (verdict(Interval((low + high) / 2, low, high)) == "holds")
