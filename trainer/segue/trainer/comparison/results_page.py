"""Writes the results page: tables of the networks, the paper's claims, and the runs that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.trainer.comparison.rows import MEASURES, Estimate, Row, Run
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.reporting.report import table
from segue.trainer.splits.split import LEAKY

UNMEASURED = "UNMEASURED"
PAPER = (("CNN, split not stated", "0.62", "2.413"), ("CNN-LSTM, split not stated", "0.68", "1.77"))
COMPARED = {"accuracy": "accuracy", "log_loss": "log-loss", "precision_at_10": "P@10"}
"""The measures of the claims, and their names in tables."""

_HEAD = ("", "seeds", "accuracy", "log-loss, raw", "log-loss", "P@5", "P@10", "epochs run", "minutes", "embedding")


@dataclass(frozen=True)
class Section:
    """The results of one split.

    Attributes:
        label: label of the split.
        digest: digest of its sides.
        leaky: the split leaks.
        train: number of training clips or chunks.
        evaluated: number of evaluated clips or chunks.
        rows: the measured networks.
        baselines: logistic regression on band statistics, with these and with its posterior as embedding.
        chance: accuracy, log_loss and precision of chance.
        planned: all runs that belong on the page.
    """

    label: str
    digest: str
    leaky: bool
    train: int
    evaluated: int
    rows: tuple[Row, ...]
    baselines: tuple[Row, Row]
    chance: dict[str, float]
    planned: tuple[Run, ...]


def results_page(sections: Sequence[Section], command: str) -> str:
    """Writes the whole page as Markdown.

    Args:
        sections: the results of each split.
        command: command that makes the page.
    """
    parts = [_introduction(command), *map(_section, sections), _claims(sections)]
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


def _format_estimate(estimate: Estimate) -> str:
    """Formats a mean with its interval."""
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _claim_line(section: Section, name: str, other: str, measure: str) -> str:
    """Writes a line on whether one network is better than another by a measure, on one split."""
    names = ("regression", "regression by its posterior")
    rows = {row.name: row for row in section.rows} | dict(zip(names, section.baselines, strict=True))
    outcome = _compare(rows.get(name), rows.get(other), measure)
    return f"- {section.label}, {name} above {other}, {COMPARED[measure]}: {outcome}."


def verdict(gain: Estimate) -> str:
    """Describes the order of two networks by the interval of the gain."""
    if gain.low > 0:
        return "holds"
    if gain.high < 0:
        return "does not hold, the order is reversed"
    return "undecided"


def _introduction(command: str) -> list[str]:
    return [
        "# Results",
        "",
        "Every network gets the same columns of the same clips. A run uses the validation clips only to select the "
        "epoch and to fit the temperature. The architecture of segue-fast was chosen on them, too, so its "
        "figures are too good compared with the others; a fair comparison needs unseen clips.",
        "",
        "Each row names its embedding. Another embedding of the same network may recommend better: a posterior alone "
        "recommends well, and that of segue-fast is part of its embedding.",
        "",
        "Figures are means over clips and seeds. The 95 % interval in brackets comes from resampling the tracks 2,000 "
        "times; it is that of a cell, not of a difference. Log-loss is in nats: raw, and at a temperature that other "
        "clips fitted (five folds). P@5 and P@10 are the share of the first recommendations that have the clip's "
        "genre, when the training clips are recommended.",
        "",
        "This command trains missing networks, resumes interrupted runs and writes this page:",
        "",
        "```",
        command,
        "```",
        "",
        "The logs of the long runs are in [runs](runs).",
        "",
        "The paper's own figures, for a split that it does not state and without recommendations:",
        "",
        *table(("", "accuracy", "loss"), PAPER),
    ]


def _section(section: Section) -> list[str]:
    networks = list(dict.fromkeys(run.network for run in section.planned))
    measured = {row.name: row for row in section.rows}
    rows = [_network_row(name, measured.get(name), section.planned) for name in networks]
    baselines = [_cells(row, "one", "", "") for row in section.baselines]
    unit = "chunks" if section.leaky else "clips"
    return [
        f"## {section.label}",
        "",
        f"{section.train} training {unit}, {section.evaluated} evaluated {unit} (validation side), split digest "
        f"{section.digest[:16]}.",
        "",
        *_warning(section),
        *table(_HEAD, [*rows, *baselines, _chance_row(section.chance)]),
    ]


def _warning(section: Section) -> list[str]:
    if not section.leaky:
        return []
    return [
        f"**{LEAKY}**: networks are evaluated on tracks whose other windows they were trained on. These figures are "
        "too good, and are here to show by how much.",
        "",
    ]


def _network_row(name: str, row: Row | None, planned: Sequence[Run]) -> tuple[str, ...]:
    seeds = [run.seed for run in planned if run.network == name]
    if row is None:
        return (name, ", ".join(map(str, seeds)), *[UNMEASURED] * 7, "")
    missing = [str(seed) for seed in seeds if seed not in row.seeds]
    measured = ", ".join(map(str, row.seeds)) + (f" ({', '.join(missing)} {UNMEASURED})" if missing else "")
    epochs = ", ".join(map(str, row.epochs)) or "not recorded"
    minutes = ", ".join("?" if part is None else f"{part:.0f}" for part in row.minutes) or "not recorded"
    return _cells(row, measured, epochs, minutes)


def _cells(row: Row, seeds: str, epochs: str, minutes: str) -> tuple[str, ...]:
    measures = (_format_estimate(row.estimate(measure)) for measure in MEASURES)
    return (row.name, seeds, *measures, epochs, minutes, row.embedding)


def _chance_row(chance: dict[str, float]) -> tuple[str, ...]:
    accuracy, loss, precision = (f"{chance[name]:.3f}" for name in ("accuracy", "log_loss", "precision"))
    return ("chance", "", accuracy, loss, loss, precision, precision, "", "", "")


def _claims(sections: Sequence[Section]) -> list[str]:
    """Writes the paper's two claims for each split, and whether segue-fast is better than the regression."""
    lines = [
        "## Claims",
        "",
        "The paper claims an accuracy of the CNN-LSTM that is 0.06 above the CNN's. Differences are measured clip by "
        "clip over the named seeds, with the 95 % interval over clips, which does not include the spread over seeds.",
        "",
    ]
    for section in sections:
        lines += [_claim_line(section, CNN_LSTM, CNN, measure) for measure in COMPARED]
        lines += [_claim_line(section, "segue-fast", "regression", measure) for measure in COMPARED]
        lines += [_claim_line(section, "segue-fast", "regression by its posterior", "precision_at_10")]
    return lines


def _compare(row: Row | None, other: Row | None, measure: str) -> str:
    if row is None or other is None:
        return UNMEASURED
    gain = row.gain(other, measure)
    if measure == "log_loss":
        gain = Estimate(-gain.mean, -gain.high, -gain.low)
    seeds = " against ".join(", ".join(map(str, compared.seeds)) or "one" for compared in (row, other))
    return f"{verdict(gain)}, a gain of {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] (seeds {seeds})"
