"""The judgement of recommendations as tables in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from segue.core.quantities import quantity
from segue.trainer.evaluation.artists import Interval
from segue.trainer.evaluation.recommendations.judgement import LENGTH, JudgedRecommendations, WayFigures
from segue.trainer.reporting.markdown import table

ALLOWED_COST = 0.02
"""Largest loss of genre precision at 10 by a default."""

_TABLES = (
    (
        "Genre",
        {
            "precision_at_5": "P@5",
            "precision_at_10": "P@10",
            "cost_at_10": "cost in P@10",
            "precision_of_others": "P@10 of others",
        },
    ),
    (
        "Genre, relative to the most that the limits allow",
        {"possible_at_10": "most P@10", "share_of_possible": "share of it", "cost_of_possible": "cost in share"},
    ),
    ("Artists and copies", {"same_artist_at_10": "same artist", "artists_in_10": "artists", "copies_in_10": "copies"}),
    ("Variety", {"diversity_at_10": "diversity", "novelty_at_10": "novelty"}),
    ("The catalogue", {"coverage": "coverage", "occurrence_skew": "skew of occurrences"}),
)

EXPLANATION = (
    f"P@5 and P@10 are the share of the first 5 and {LENGTH} recommendations that have the seed's genre, P@10 of "
    "others the share of those among them that are by other artists than the seed. The cost is the loss of P@10 "
    "against the nearest tracks. The most P@10 is that of a choice by the true genre under the same limits: "
    "where a genre has few artists, a limit for an artist leaves too few of its tracks. Same artist is the "
    "number of tracks by the seed's artist, as a share of the most that can be; seeds whose artist has no other "
    f"track do not count. Artists and copies are numbers in a list of {LENGTH}; a copy is the same recording as "
    "the seed or as a track before it. Diversity is the mean of 1 - cosine between the tracks of a list, "
    "novelty that between the seed and its tracks. Coverage is the share of the catalogue that is in some list. "
    "The skew of the number of lists that a track is in grows with hubs, tracks that are in very many lists. In "
    "brackets: 95 % intervals over artists, drawn within genres."
)


def print_recommendations(judged: JudgedRecommendations) -> None:
    """Prints the judgement on standard output."""
    console = Console()
    with console.capture() as text:  # printing would end the program if the reader of the output is gone
        for title, columns in _TABLES:
            drawn = Table("way to recommend", *columns.values(), title=f"{title}, {describe(judged)}")
            for way in judged.ways:
                drawn.add_row(way.name, *(_cell(way, name).replace(" [", "\n[") for name in columns))
            console.print(drawn)
    click.echo("\n".join([text.get(), *default_costs(judged), *judged.reasons]))


def markdown(judged: JudgedRecommendations) -> list[str]:
    """Returns the judgement as Markdown, line by line."""
    lines = [f"{describe(judged)[:1].upper()}{describe(judged)[1:]}.", ""]
    for title, columns in _TABLES:
        rows = [(way.name, *(_cell(way, name) for name in columns)) for way in judged.ways]
        lines += [f"**{title}**", "", *table(("way to recommend", *columns.values()), rows), ""]
    costs = [f"- {sentence}" for sentence in default_costs(judged)]
    return [*lines, *costs, *(f"- {reason}" for reason in judged.reasons)]


def describe(judged: JudgedRecommendations) -> str:
    """Describes what was recommended to which seeds."""
    seeds = quantity(judged.seeds, "seed")
    if judged.is_leave_one_out:
        return f"{seeds}, to which the others are recommended"
    return f"{seeds}, to which {quantity(judged.tracks, 'other track')} are recommended"


def default_costs(judged: JudgedRecommendations) -> Iterator[str]:
    """Yields a sentence with the cost of each default."""
    for way in judged.ways:
        if way.is_default:
            cost, share = way.figures["cost_at_10"], way.figures["cost_of_possible"]
            verdict = "at most" if cost.mean <= ALLOWED_COST else "more than"
            yield (
                f"default, {way.name}: the cost in P@10 is {cost}, {verdict} {ALLOWED_COST}; of the most that the "
                f"limits allow, it is {share}"
            )


def as_json(judged: JudgedRecommendations) -> dict[str, Any]:
    """Returns the judgement as JSON has it; null is a number that was not measured."""
    ways = [
        {
            "name": way.name,
            "is_default": way.is_default,
            "figures": {name: _numbers(interval) for name, interval in way.figures.items()},
        }
        for way in judged.ways
    ]
    facts = {"seeds": judged.seeds, "tracks": judged.tracks, "leave_one_out": judged.is_leave_one_out}
    return {**facts, "ways": ways, "not_judged": list(judged.reasons)}


def _cell(way: WayFigures, name: str) -> str:
    return str(way.figures[name])


def _numbers(interval: Interval) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in interval._asdict().items()}
