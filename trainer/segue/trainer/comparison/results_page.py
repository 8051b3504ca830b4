"""The page that compares the networks: tables, the paper's claims, and what was not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.trainer.comparison.rows import MEASURES, Estimate, Row, Run
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.reporting.report import table

UNMEASURED = "UNMEASURED"
_HEAD = ("", "seeds", "accuracy", "log-loss, raw", "log-loss", "P@5", "P@10", "epochs run", "minutes", "embedding")
PAPER = (("CNN, split not stated", "0.62", "2.413"), ("CNN-LSTM, split not stated", "0.68", "1.77"))
COMPARED = {"accuracy": "accuracy", "log_loss": "log-loss", "precision_at_10": "P@10"}
"""The measures that claims are made of, and what tables call them."""


@dataclass(frozen=True)
class Section:
    """One split.

    Attributes:
        label: of the split, with LEAKY in it where it leaks.
        digest: of its sides.
        learnt: how many clips or chunks were learnt from.
        judged: how many were judged.
        rows: what was measured.
        baselines: logistic regression on band statistics, with those and with its posterior as embedding.
        chance: accuracy, log_loss and precision of answering nothing.
        wanted: every run that the page is about.
    """

    label: str
    digest: str
    learnt: int
    judged: int
    rows: tuple[Row, ...]
    baselines: tuple[Row, Row]
    chance: dict[str, float]
    wanted: tuple[Run, ...]


def page(sections: Sequence[Section], command: str) -> str:
    """The whole page as Markdown."""
    parts = [_introduction(command), *map(_section, sections), _claims(sections)]
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


def _introduction(command: str) -> list[str]:
    return [
        "# Results",
        "",
        "Every network hears the same columns of the same clips; a run uses the validation clips to choose the epoch "
        "and to fit the temperature. The make-up of segue-fast was chosen on them as well (docs/adr/0011), so that its "
        "figures flatter it beside the others; clips that nobody has looked at are to judge it. A row's embedding is "
        "named in it, and another of the same network may recommend better: a posterior alone recommends well, and "
        "that of segue-fast is part of its embedding. Figures are means over clips and seeds, in brackets the 95 % "
        "interval by resampling the tracks 2,000 times: that of a cell, not of a difference. Log-loss is in nats: raw, "
        "and at a temperature that was fitted on other clips (five folds). P@5 and P@10 are the share of the first "
        "recommendations that have the clip's genre, when the clips that were learnt from are recommended.",
        "",
        "Made by the command below, which trains what is missing, goes on with what was stopped, and writes this page:",
        "",
        "```",
        command,
        "```",
        "",
        "The logs of the long runs are in [runs](runs).",
        "",
        "The paper's own figures, of a split that it does not state, with no recommendations judged:",
        "",
        *table(("", "accuracy", "loss"), PAPER),
    ]


def _section(section: Section) -> list[str]:
    networks = list(dict.fromkeys(run.network for run in section.wanted))
    measured = {row.name: row for row in section.rows}
    rows = [_network_row(name, measured.get(name), section.wanted) for name in networks]
    return [
        f"## {section.label}",
        "",
        f"{section.learnt} learnt from, {section.judged} judged (validation side), digest {section.digest[:16]}.",
        "",
        *_warning(section),
        *table(_HEAD, [*rows, *(_cells(row, "one", "", "") for row in section.baselines), _chance(section.chance)]),
    ]


def _chance(nothing: dict[str, float]) -> tuple[str, ...]:
    accuracy, loss, precision = (f"{nothing[name]:.3f}" for name in ("accuracy", "log_loss", "precision"))
    return ("chance", "", accuracy, loss, loss, precision, precision, "", "", "")


def _warning(section: Section) -> list[str]:
    if "LEAKY" not in section.label:
        return []
    return [
        "**LEAKY**: windows of one track were both learnt from and judged by. These figures flatter, and are here to "
        "show how much.",
        "",
    ]


def _network_row(name: str, row: Row | None, wanted: Sequence[Run]) -> tuple[str, ...]:
    seeds = [run.seed for run in wanted if run.network == name]
    if row is None:
        return (name, ", ".join(map(str, seeds)), *[UNMEASURED] * 7, "")
    missing = [str(seed) for seed in seeds if seed not in row.seeds]
    said = ", ".join(map(str, row.seeds)) + (f" ({', '.join(missing)} {UNMEASURED})" if missing else "")
    epochs = ", ".join(map(str, row.epochs)) or "not recorded"
    minutes = ", ".join("?" if part is None else f"{part:.0f}" for part in row.minutes) or "not recorded"
    return _cells(row, said, epochs, minutes)


def _cells(row: Row, seeds: str, epochs: str, minutes: str) -> tuple[str, ...]:
    measured = (show_estimate(row.estimate(measure)) for measure in MEASURES)
    return (row.name, seeds, *measured, epochs, minutes, row.embedding)


def show_estimate(found: Estimate) -> str:
    """A mean with its interval, as tables have it."""
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _claims(sections: Sequence[Section]) -> list[str]:
    """The paper's two claims on each split, and whether segue-fast beats the regression, clip by clip."""
    lines = [
        "## What can be said",
        "",
        "The paper claims the CNN-LSTM above the CNN, by 0.06 of accuracy. Differences are measured clip by clip over "
        "the seeds that are named, with the 95 % interval over clips; the spread over seeds is not in it.",
        "",
    ]
    for section in sections:
        lines += [claim(section, CNN_LSTM, CNN, measure) for measure in COMPARED]
        lines += [claim(section, "segue-fast", "regression", measure) for measure in COMPARED]
        lines += [claim(section, "segue-fast", "regression by its posterior", "precision_at_10")]
    return lines


def claim(section: Section, one: str, other: str, measure: str) -> str:
    """A line that says whether one network is above another by a measure, on one split."""
    names = ("regression", "regression by its posterior")
    rows = {row.name: row for row in section.rows} | dict(zip(names, section.baselines, strict=True))
    compared = _compared(rows.get(one), rows.get(other), measure)
    return f"- {section.label}, {one} above {other}, {COMPARED[measure]}: {compared}."


def _compared(one: Row | None, other: Row | None, measure: str) -> str:
    if one is None or other is None:
        return UNMEASURED
    gain = one.gain(other, measure)
    if measure == "log_loss":
        gain = Estimate(-gain.mean, -gain.high, -gain.low)
    seeds = " against ".join(", ".join(map(str, row.seeds)) or "one" for row in (one, other))
    return f"{verdict(gain)}, a gain of {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] (seeds {seeds})"


def verdict(gain: Estimate) -> str:
    """What an interval says of an order."""
    if gain.low > 0:
        return "holds"
    if gain.high < 0:
        return "does not hold, it is the other way round"
    return "cannot be told"
