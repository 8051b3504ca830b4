"""The report: one folder with a page of Markdown and its figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from segue.core.model.artifact import Manifest
from segue.trainer.evaluation.results import Analysis
from segue.trainer.outputs import write_text
from segue.trainer.reporting.figures import CURVES, draw_all
from segue.trainer.reporting.run_record import RunRecord

REPORT, FIGURES = "report.md", "figures"

_TELLS = {
    "curves.png": "Training and validation by epoch.",
    "confusion.png": "Confusion matrix: rows are the true genres.",
    "reliability.png": "Reliability before the temperature, and at one that was fitted on other clips where there are "
    "such.",
    "map.png": "The embeddings in two dimensions, coloured by genre.",
}


def write_report(
    folder: Path, manifest: Manifest, analysis: Analysis, record: RunRecord | None, judged_on: str
) -> None:
    """Writes ``report.md`` and ``figures/`` into a folder.

    Args:
        folder: where; it is made.
        manifest: of the artifact that is judged.
        analysis: what it answered.
        record: of the run that made it, or None where none is known.
        judged_on: which tracks were judged, such as "the 197 clips on the side valid of fault-filtered".
    """
    title = f"{manifest.model_id}: {judged_on}"
    drawn = draw_all(folder / FIGURES, analysis, record.history if record else None, title)
    if not record:
        (folder / FIGURES / CURVES).unlink(missing_ok=True)
    parts = [
        [f"# {manifest.model_id}", "", f"Judged on {judged_on}."],
        _leak(judged_on),
        _figures(analysis),
        *([f"![{_TELLS[name]}]({FIGURES}/{name})", "", _TELLS[name]] for name in drawn),
        _genres(analysis),
        _precisions(analysis),
        _run(manifest, record),
    ]
    text = "\n".join(line for part in parts if part for line in [*part, ""])
    write_text(folder / REPORT, text)


def _leak(judged_on: str) -> list[str]:
    if "LEAKY" in judged_on:
        return [
            "**LEAKY**: chunks of one track were both learnt from and judged by. These figures flatter, and say "
            "nothing of music that was never heard."
        ]
    if "LEARNT FROM" in judged_on:
        return ["**LEARNT FROM**: the network is judged by what it learnt from. These figures flatter."]
    return []


def _figures(analysis: Analysis) -> list[str]:
    found = analysis.figures
    fitted = [
        (what, f"{found[name]:.3f}")
        for what, name in (
            ("log-loss, temperature fitted on other clips", "log_loss_cross_fitted"),
            ("ECE, temperature fitted on other clips", "ece_cross_fitted"),
        )
        if name in found
    ]
    rows = [
        (
            "accuracy",
            f"{found['accuracy']:.3f} (95 % interval: {found['accuracy_low']:.3f} to {found['accuracy_high']:.3f})",
        ),
        ("macro-F1", f"{found['macro_f1']:.3f}"),
        ("log-loss, nats: as served", f"{found['log_loss']:.3f}"),
        ("log-loss before the temperature", f"{found['log_loss_raw']:.3f}"),
        ("calibration error (ECE): as served", f"{found['ece']:.3f}"),
        ("ECE before the temperature", f"{found['ece_raw']:.3f}"),
        *fitted,
        ("windows that agree with their clip", f"{found['window_agreement']:.3f}"),
    ]
    return ["## Figures", "", *table(("figure", "value"), rows)]


def _genres(analysis: Analysis) -> list[str]:
    rows = [
        (row.genre, str(row.clips), f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}")
        for row in analysis.genres
    ]
    return ["## Genres", "", *table(("genre", "clips", "precision", "recall", "F1"), rows)]


def _precisions(analysis: Analysis) -> list[str]:
    rows = [
        (row.what, str(row.k), f"{row.mean:.3f}", f"{row.low:.3f} to {row.high:.3f}", f"{row.random:.3f}")
        for row in analysis.precisions
    ]
    return [
        "## Recommendations",
        "",
        "The share of the first k that has the seed's genre, by exact search unless another is named.",
        "",
        *table(("recommended", "k", "precision", "95 % by bootstrap", "random"), rows),
    ]


def _run(manifest: Manifest, record: RunRecord | None) -> list[str]:
    front = f"Front end {manifest.features.fingerprint}, temperature {manifest.temperature:.3f}."
    if record is None:
        return ["## The run", "", f"{front} No record of the run that made this network lies beside it."]
    rows = [
        ("network", record.network),
        ("embedding", record.embedding),
        ("split", f"{record.split}, digest {record.split_digest}"),
        ("learnt from, validated by", f"{record.learnt}, {record.valid}"),
        ("digest of the clips", record.data_digest),
        ("seed", str(record.plan["seed"])),
        ("epochs run, of at most, kept", f"{record.epochs}, {record.plan['epochs']}, {record.best_epoch}"),
        ("wall time of all epochs", minutes(record.seconds)),
        ("versions", versions(record.versions)),
    ]
    settings = ["```json", json.dumps(record.plan, indent=2), "```"]
    return ["## The run", "", front, "", *table(("", ""), rows), "", "All settings:", "", *settings]


def minutes(seconds: float | None) -> str:
    """Wall time as a person reads it."""
    return "not recorded" if seconds is None else f"{seconds / 60:.1f} minutes"


def versions(found: Mapping[str, str]) -> str:
    """Packages and their versions in a line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, line by line."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
