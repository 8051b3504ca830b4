"""Runs ``segue-trainer collaborative``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from segue.core.files import sha256_of
from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.collaborative.artifact import check_folder, write_model
from segue.trainer.collaborative.cold import COLD_K, measure_cold
from segue.trainer.collaborative.content import Content, EmbeddingContent, TagContent, read_embeddings
from segue.trainer.collaborative.factors import ITERATIONS, RIDGE, FactorPlan, fit_factors, fit_map
from segue.trainer.collaborative.hetrec import fold_name, read_assignments, read_hetrec
from segue.trainer.collaborative.plays import Pairs, Plays, collect, read_plays
from segue.trainer.collaborative.recall import RecallTable
from segue.trainer.collaborative.warm import WARM_K, measure_warm
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.artists import Interval
from segue.trainer.settings import CollaborativeSettings

# The differences that decide whether plays are worth their cost.
_GAINS = (("warm", "blend", "als"), ("warm", "als", "popularity"), ("cold", "mapped", "content"))


class _Data(NamedTuple):
    plays: Plays
    content: Content


def collaborative(settings: CollaborativeSettings) -> None:
    """Measures recommenders that learn from plays, prints the figures, and writes a factor model.

    Raises:
        SegueError: the plays or the content cannot be used, or the model cannot be written.
    """
    if settings.output:
        check_folder(settings.output)
    plan = FactorPlan(settings.factors, settings.regularization, settings.seed, settings.threads)
    data = _read(settings)
    facts = _facts(settings, data) | {"figures": _measure(settings, data, plan)}
    if settings.output:
        factors = fit_factors(data.plays.counts, plan)
        mapping = fit_map(data.content.vectors(), factors.items)
        write_model(settings.output, data.plays, factors, mapping, facts)
        console.notify(f"factor model written to {settings.output}")
    click.echo(json.dumps(facts, indent=2) if settings.as_json else _markdown(facts))


def _read(settings: CollaborativeSettings) -> _Data:
    """Reads plays and content, and keeps the items that have both and enough users."""
    pairs = _pairs(settings)
    plays = collect(pairs)
    players = dict(zip(plays.items, plays.players.tolist(), strict=True))
    played = {item for item, number in players.items() if number >= settings.min_users}
    content = _content(settings, played)
    if len(content.items) < 2 * settings.folds:
        raise DataUnusable(
            f"Only {quantity(len(content.items), 'item')} of {len(plays.items):,} in {settings.plays} have content "
            f"and {settings.min_users} users or more; {settings.folds} folds need {2 * settings.folds}. Are "
            "they named in the same way in both?"
        )
    return _Data(plays.select(list(content.items)), content)


def _pairs(settings: CollaborativeSettings) -> Pairs:
    if settings.plays.is_dir():
        return read_hetrec(settings.plays)
    pairs = read_plays(settings.plays)
    if not settings.artists:
        return pairs
    folded: dict[tuple[str, str], float] = {}
    for (user, item), count in pairs.items():
        key = user, fold_name(item)
        folded[key] = folded.get(key, 0) + count
    return folded


def _content(settings: CollaborativeSettings, items: set[str]) -> Content:
    if not settings.embeddings:
        return TagContent(read_assignments(settings.plays), items)
    embeddings = read_embeddings(settings.embeddings, settings.artists)
    if not (known := {item: vectors for item, vectors in embeddings.items() if item in items}):
        raise DataUnusable(
            f"No item of {settings.embeddings} is in {settings.plays} with {settings.min_users} users or "
            "more. Are the items named in the same way in both?"
        )
    return EmbeddingContent(known)


def _facts(settings: CollaborativeSettings, data: _Data) -> dict[str, Any]:
    """Returns what the manifest says of inputs and settings."""
    content = data.content.vectors()
    files = [path for path in (settings.plays, settings.embeddings, settings.artists) if path]
    return {
        "users": len(data.plays.users),
        "items": len(data.plays.items),
        "pairs": int(data.plays.counts.nnz),
        "content": "embeddings" if settings.embeddings else "tags",
        "content_width": int(content.shape[1]),
        "settings": {
            "factors": settings.factors,
            "regularization": settings.regularization,
            "iterations": ITERATIONS,
            "ridge": RIDGE,
            "min_users": settings.min_users,
            "folds": settings.folds,
            "seed": settings.seed,
        },
        "inputs": {name: digest for path in files for name, digest in _digests(path).items()},
    }


def _digests(path: Path) -> dict[str, str]:
    """Returns the SHA-256 of a file, or of the tables in a folder, by name."""
    files = sorted(path.glob("*.dat")) if path.is_dir() else [path]
    return {file.name: sha256_of(file) for file in files}


def _measure(settings: CollaborativeSettings, data: _Data, plan: FactorPlan) -> dict[str, Any]:
    def report(fold: int) -> None:
        console.notify(f"fold {fold + 1} of {settings.folds}")

    tables = {f"warm recall@{WARM_K}": measure_warm(data.plays, data.content, plan)}
    cold = measure_cold(data.plays, data.content, plan, settings.folds, report)
    tables |= {f"cold recall@{k}": cold[k] for k in COLD_K}
    return {name: _figures(name, table) for name, table in tables.items()}


def _figures(name: str, table: RecallTable) -> dict[str, Any]:
    """Returns the figures of a table by recommender, and the differences that matter."""
    recalls = {recommender: _numbers(table.interval(recommender)) for recommender in table.names}
    gains = {
        f"{better} minus {other}": _numbers(table.interval(better, other))
        for kind, better, other in _GAINS
        if name.startswith(kind)
    }
    return {"users": table.users, "cases": table.cases, "recall": recalls, "difference": gains}


def _numbers(interval: Interval) -> list[float]:
    return [round(number, 4) for number in interval]


def _markdown(facts: Mapping[str, Any]) -> str:
    """Returns the figures as tables in Markdown."""
    lines = [
        f"{facts['users']:,} users, {facts['items']:,} items, {facts['pairs']:,} pairs, content: {facts['content']}"
    ]
    for name, figures in facts["figures"].items():
        lines += ["", f"| {name}, {figures['users']:,} users | mean [95 % interval] |", "|---|---|"]
        for rows in (figures["recall"], figures["difference"]):
            lines += [f"| {row} | {Interval(*numbers):.3f} |" for row, numbers in rows.items()]
    return "\n".join(lines)
