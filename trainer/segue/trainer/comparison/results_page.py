"""Writes the results page: tables of the networks, the paper's claims, and the runs that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segue.trainer.comparison.rows import Row
from segue.trainer.comparison.run_results import MEASURES
from segue.trainer.comparison.runs import COMBINED, LONGER
from segue.trainer.comparison.section import Section
from segue.trainer.evaluation.artists import Interval
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.reporting.markdown import table
from segue.trainer.splits.split import LEAKY

UNMEASURED = "UNMEASURED"
PAPER = (("CNN, split not stated", "0.62", "2.413"), ("CNN-LSTM, split not stated", "0.68", "1.77"))
COMPARED = {"accuracy": "accuracy", "log_loss": "log-loss", "precision_at_10": "P@10"}
"""The measures of the claims, and their names in tables."""

_CLAIMS = (*((name, CNN) for name in (CNN_LSTM, COMBINED)), *((name, CNN_LSTM) for name in LONGER))
"""Pairs of networks; it is measured whether the first is better than the second."""

_HEAD = ("", "seeds", "accuracy", "accuracy of each seed", "log-loss, raw", "log-loss", "P@5", "P@10")
_TRAINING_HEAD = ("", "epochs run", "minutes", "embedding")
_CLIPS_HEAD = ("", "trained on", "evaluated", "effective artists evaluated", "split digest")


def results_page(sections: Sequence[Section], command: str, results: str, pictures: Mapping[str, str]) -> str:
    """Writes the whole page as Markdown.

    Args:
        sections: the results of each split, the honest one first.
        command: command that makes the page.
        results: path of the folder of results, relative to the page.
        pictures: path of the picture of a network's training, relative to the page, by its title.
    """
    parts = [_introduction(command, results), _both_splits(sections), *map(_section, sections), _claims(sections)]
    if pictures:
        parts.append(_training(pictures))
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


def verdict(gain: Interval) -> str:
    """Describes the order of two networks by the interval of the gain."""
    if not gain.excludes_zero:
        return "undecided"
    return "holds" if gain.mean > 0 else "reversed"


def _introduction(command: str, results: str) -> list[str]:
    return [
        "# Results",
        "",
        'This page measures the networks of the paper "Music Genre Classification Using LSTM and CNN". The networks '
        "that ship with Segue have cards: [segue-accurate](../models/segue-accurate/model-card.md) and "
        "[segue-fast](../models/segue-fast/model-card.md). [recommendation.md](recommendation.md) judges "
        "recommendations by each setting.",
        "",
        "Every network gets the same columns of the same clips, in windows of 3 s, or of the length in its name. A run "
        f"uses the validation clips only to select the epoch. `{COMBINED}` joins both networks of a seed by the "
        "geometric mean of their posteriors. A network with longer windows sees as much of each clip in an epoch, but "
        "in fewer windows, so it takes fewer steps until ten epochs without a better one end a run. "
        "[ADR 0010](adr/0010-interpretation-of-the-paper.md) explains the reading "
        "of the paper.",
        "",
        "Figures are means over clips and seeds. The 95 % interval in brackets comes from drawing the artists of each "
        "genre 2,000 times, one fewer than there are, since clips of one artist tend to be right or wrong together. A "
        "genre with fewer than three artists is drawn together with another. The interval is that of a cell, not of a "
        "difference. Log-loss is in nats: raw, and at a temperature that other clips fitted (five folds). P@5 and "
        "P@10 are the share of the first recommendations that have the clip's genre, when the training clips are "
        "recommended.",
        "",
        "This command trains missing networks, resumes interrupted runs and writes this page. The results of each run "
        f"are kept in [{results}]({results}); a run that has them is neither trained nor measured again:",
        "",
        "```",
        command,
        "```",
        "",
        "The paper's own figures, for a split that it does not state and without recommendations:",
        "",
        *table(("", "accuracy", "loss"), PAPER),
    ]


def _both_splits(sections: Sequence[Section]) -> list[str]:
    """Writes a table with the splits side by side."""
    networks = list(dict.fromkeys(run.network for section in sections for run in section.planned))
    head = ["", *(f"{name}, {section.label}" for name in COMPARED.values() for section in sections)]
    rows = [
        [name, *(_mean_cell(section, name, measure) for measure in COMPARED for section in sections)]
        for name in networks
    ]
    return ["## Honest and leaky", "", *table(head, rows)]


def _mean_cell(section: Section, name: str, measure: str) -> str:
    if name not in {run.network for run in section.planned}:
        return ""
    row = section.measured.get(name)
    return f"{row.measures[measure].mean():.3f}" if row else UNMEASURED


def _section(section: Section) -> list[str]:
    networks = dict.fromkeys(run.network for run in section.planned)
    trained = [_training_row(row) for row in section.rows if row.epochs]
    return [
        f"## {section.label}",
        "",
        *_warning(section),
        *table(_HEAD, [*(_network_row(name, section) for name in networks), *_baseline_rows(section)]),
        *(["", *table(_TRAINING_HEAD, trained)] if trained else []),
        "",
        *table(_CLIPS_HEAD, [clips.cells for clips in section.clips]),
    ]


def _warning(section: Section) -> list[str]:
    if not section.leaky:
        return []
    return [
        f"**{LEAKY}**: networks are evaluated on tracks whose other windows they were trained on. These figures are "
        "too good, and are here to show by how much. A chunk is one window, so that networks with longer windows are "
        "evaluated on other chunks, and fewer. A window of 30 s is a whole clip, which this split cannot divide.",
        "",
    ]


def _network_row(name: str, section: Section) -> Sequence[str]:
    seeds, row = [run.seed for run in section.planned if run.network == name], section.measured.get(name)
    if row is None:
        return (name, ", ".join(map(str, seeds)), *[UNMEASURED] * 6)
    missing = [str(seed) for seed in seeds if seed not in row.seeds]
    return _cells(row, ", ".join(map(str, row.seeds)) + (f" ({', '.join(missing)} {UNMEASURED})" if missing else ""))


def _baseline_rows(section: Section) -> list[Sequence[str]]:
    accuracy, loss, precision = (f"{section.chance[name]:.3f}" for name in ("accuracy", "log_loss", "precision"))
    chance = ("chance", "", accuracy, "", loss, loss, precision, precision)
    return [*(_cells(row, "one") for row in section.baselines), chance]


def _cells(row: Row, seeds: str) -> Sequence[str]:
    accuracy, *others = (str(row.estimate(measure)) for measure in MEASURES)
    return (row.name, seeds, accuracy, ", ".join(f"{share:.3f}" for share in row.accuracies), *others)


def _training_row(row: Row) -> Sequence[str]:
    minutes = ", ".join("?" if part is None else f"{part:.0f}" for part in row.minutes)
    return (row.name, ", ".join(map(str, row.epochs)), minutes, row.embedding)


def _claims(sections: Sequence[Section]) -> list[str]:
    """Writes whether the paper's claim holds on each split, and what longer windows and both networks bring."""
    pairs = [(section, *pair) for section in sections for pair in _CLAIMS if _comparable(section, *pair)]
    rows = [
        (section.label, f"{name} above {other}", *(_claim(section, name, other, measure) for measure in COMPARED))
        for section, name, other in pairs
    ]
    return [
        "## Claims",
        "",
        "The paper claims an accuracy of the CNN-LSTM that is 0.06 above the CNN's. A gain is the mean difference clip "
        "by clip over the seeds that both have; above 0 is better. Its 95 % interval over artists does not include the "
        "spread over seeds.",
        "",
        *table(("split", "claim", *COMPARED.values()), rows),
    ]


def _comparable(section: Section, name: str, other: str) -> bool:
    """Returns True for two networks that are planned on the same clips; chunks of other lengths are other chunks."""
    planned = {run.network for run in section.planned}
    return {name, other} <= planned and not (section.leaky and name in LONGER)


def _claim(section: Section, name: str, other: str, measure: str) -> str:
    """Writes whether one network is better than another by a measure, and by how much."""
    row, compared = section.measured.get(name), section.measured.get(other)
    if row is None or compared is None or not row.common_seeds(compared):
        return UNMEASURED
    gain = row.gain(compared, measure)
    return f"{verdict(gain)}: {gain:+.3f}"


def _training(pictures: Mapping[str, str]) -> list[str]:
    """Shows the training of both networks, as figures 9 and 10 of the paper do."""
    lines = [
        "## Training",
        "",
        "Loss and accuracy by epoch, as in figures 9 and 10 of the paper; a line for each seed.",
        "",
    ]
    return lines + [line for title, path in pictures.items() for line in (f"![{title}]({path})", "", title, "")]
