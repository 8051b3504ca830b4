"""Writes a report: a folder with a page of Markdown and its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.trainer.evaluation.leakage import TRAINING_SIDE
from segue.trainer.evaluation.results import Analysis
from segue.trainer.outputs import write_text
from segue.trainer.reporting.figures import CONFUSION, CURVES, MAP, RELIABILITY, draw_all
from segue.trainer.reporting.markdown import table
from segue.trainer.reporting.recommendations import EXPLANATION, markdown
from segue.trainer.reporting.run_record import RunRecord
from segue.trainer.splits.split import LEAKY

REPORT, FIGURES = "report.md", "figures"

_CAPTIONS = {
    CURVES: "Training and validation by epoch.",
    CONFUSION: "Confusion matrix; rows are the true genres.",
    RELIABILITY: "Reliability before and after the temperature, which other clips fitted where that is possible.",
    MAP: "The embeddings in two dimensions, coloured by genre.",
}


def write_report(
    folder: Path,
    manifest: Manifest,
    analysis: Analysis,
    record: RunRecord | None,
    evaluated_on: str,
    *,
    leaky: bool = False,
    trained_on: bool = False,
) -> None:
    """Writes ``report.md`` and ``figures/`` into a folder.

    Args:
        folder: the folder, which is created if it is missing.
        manifest: manifest of the evaluated artifact.
        analysis: results of the evaluation.
        record: record of the run that trained the artifact, or None where there is none.
        evaluated_on: the evaluated tracks, such as "the 197 tracks on the side valid of fault-filtered".
        leaky: the split of the evaluated tracks leaks.
        trained_on: the network was trained on some of the evaluated tracks.
    """
    title = f"{manifest.model_id}: {evaluated_on}"
    drawn = draw_all(folder / FIGURES, analysis, record, title)
    for name in _CAPTIONS.keys() - set(drawn):
        (folder / FIGURES / name).unlink(missing_ok=True)
    parts = [
        [f"# {manifest.model_id}", "", f"Evaluated on {evaluated_on}."],
        _warning(leaky=leaky, trained_on=trained_on),
        _figures(analysis),
        *([f"![{_caption(name, record)}]({FIGURES}/{name})", "", _caption(name, record)] for name in drawn),
        _genres(analysis),
        _precisions(analysis),
        _ways(analysis),
        _run(manifest, record),
    ]
    text = "\n".join(line for part in parts if part for line in [*part, ""])
    write_text(folder / REPORT, text)


def _caption(name: str, record: RunRecord | None) -> str:
    if name == CURVES and record and record.folds:
        return "Training and held-out clips by epoch, mean over the folds."
    return _CAPTIONS[name]


def format_minutes(seconds: float | None) -> str:
    """Formats a wall time in minutes."""
    return "not recorded" if seconds is None else f"{seconds / 60:.1f} minutes"


def describe_intervals(figures: Mapping[str, float]) -> str:
    """Returns sentences on the intervals of figures."""
    return (
        "In brackets: 95 % intervals over artists, drawn within genres. The clips are worth "
        f"{figures['artists']:.0f} artists with equally many clips; a clip of unknown artist counts as one."
    )


def _warning(*, leaky: bool, trained_on: bool) -> list[str]:
    if leaky:
        return [
            f"**{LEAKY}**: the network was trained on other windows of the evaluated tracks. These figures are too "
            "good, and say nothing about unseen music."
        ]
    if trained_on:
        return [f"**{TRAINING_SIDE}**: the network was trained on evaluated tracks. These figures are too good."]
    return []


def _figures(analysis: Analysis) -> list[str]:
    figures = analysis.figures
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    fitted = [
        (name, f"{figures[key]:.3f}")
        for name, key in (
            ("log-loss, temperature fitted on other clips", "log_loss_cross_fitted"),
            ("ECE, temperature fitted on other clips", "ece_cross_fitted"),
        )
        if key in figures
    ]
    rows = [
        ("accuracy", f"{figures['accuracy']:.3f} [{low:.3f}, {high:.3f}]"),
        ("macro-F1", f"{figures['macro_f1']:.3f}"),
        ("log-loss, nats, as served", f"{figures['log_loss']:.3f}"),
        ("log-loss before the temperature", f"{figures['log_loss_raw']:.3f}"),
        ("calibration error (ECE), as served", f"{figures['ece']:.3f}"),
        ("ECE before the temperature", f"{figures['ece_raw']:.3f}"),
        *fitted,
        ("windows whose first genre is their clip's", f"{figures['window_agreement']:.3f}"),
    ]
    return ["## Figures", "", *table(("figure", "value"), rows), "", describe_intervals(figures)]


def _genres(analysis: Analysis) -> list[str]:
    rows = [
        (row.genre, str(row.clips), f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}")
        for row in analysis.genres
    ]
    return ["## Genres", "", *table(("genre", "clips", "precision", "recall", "F1"), rows)]


def _precisions(analysis: Analysis) -> list[str]:
    if not analysis.precisions:
        return []
    rows = [(row.pool, str(row.k), str(row.precision), f"{row.random:.3f}") for row in analysis.precisions]
    return [
        "## Recommendations",
        "",
        "The share of the first k recommendations that have the seed's genre, by exact search unless stated otherwise.",
        "",
        *table(("recommended", "k", "precision", "random"), rows),
    ]


def _ways(analysis: Analysis) -> list[str]:
    if analysis.judged is None:
        return []
    return ["## Ways to recommend", "", EXPLANATION, "", *markdown(analysis.judged)]


def _run(manifest: Manifest, record: RunRecord | None) -> list[str]:
    front_end = f"Front end {manifest.features.fingerprint}, temperature {manifest.temperature:.3f}."
    if record is None:
        return ["## The run", "", f"{front_end} The artifact has no record of its training run."]
    rows = [
        ("network", record.network),
        ("embedding", record.embedding),
        ("split", f"{record.split}, digest {record.split_digest}"),
        _clips(record),
        ("digest of the clips", record.data_digest),
        ("seed", str(record.plan["seed"])),
        ("epochs: run, at most, kept", f"{record.epochs}, {record.plan['epochs']}, {record.best_epoch}"),
        ("wall time of all epochs", format_minutes(record.seconds)),
        ("versions", _format_versions(record.versions)),
    ]
    settings = ["```json", json.dumps(record.plan, indent=2), "```"]
    return ["## The run", "", front_end, "", *table(("", ""), rows), "", "All settings:", "", *settings]


def _clips(record: RunRecord) -> tuple[str, str]:
    if record.folds:
        return "training clips, and folds that evaluate", f"{record.train}, {record.folds}"
    return "training and validation clips", f"{record.train}, {record.validation}"


def _format_versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
