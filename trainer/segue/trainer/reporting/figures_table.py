"""The figures of an evaluation as a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from segue.trainer.console import replace_control_characters
from segue.trainer.evaluation.leakage import Leakage
from segue.trainer.evaluation.precision import K_VALUES

_TITLES = {
    "n": "tracks",
    "artists": "artists with equally many tracks that would be worth as much",
    "accuracy": "accuracy per track",
    "accuracy_low": "  95 % interval, from",
    "accuracy_high": "  to",
    "accuracy_of_linear_head": "  of logistic regression on mean tags",
    "log_loss": "log-loss, nats",
    "log_loss_raw": "  before the temperature",
    "log_loss_cross_fitted": "  temperature fitted on other tracks",
    "log_loss_low": "    95 % interval, from",
    "log_loss_high": "    to",
    "log_loss_of_linear_head": "    of logistic regression on mean tags",
    "ece": "expected calibration error",
    "ece_raw": "  before the temperature",
    "ece_cross_fitted": "  temperature fitted on other tracks",
    "macro_f1": "macro-F1",
    "window_agreement": "windows whose first genre is their track's",
    "precision_at_5": "genre precision at 5",
    "precision_at_10": "genre precision at 10",
    "precision_at_5_from_train": "genre precision at 5, training tracks recommended",
    "precision_at_10_from_train": "genre precision at 10, training tracks recommended",
    "precision_at_10_other_artists": "genre precision at 10, without the seed's artist",
    "precision_at_10_other_artists_low": "  95 % interval, from",
    "precision_at_10_other_artists_high": "  to",
    "precision_at_10_of_mean_tags": "  by the cosine of mean tags",
    "auroc_held_out_genre": "area under the ROC curve of novelty, each genre held out",
    "auroc_held_out_genre_low": "  95 % interval, from",
    "auroc_held_out_genre_high": "  to",
    "cost": "processor time of a clip, relative to librosa's log-mel",
}
_ORDER = {name: place for place, name in enumerate(_TITLES)}
_WHOLE_NUMBERS = ("n", "artists")
_LEAKAGE = ("trained_on", "selected_on")


def print_figures(figures: Mapping[str, Any]) -> None:
    """Prints figures as a table on standard output.

    Args:
        figures: numbers by name, None for those that were not measured; also ``model_id`` and, where there are any, the
            split, its side, the pool, and how many tracks the network has seen.
    """
    side = f", {figures['side'] or 'all'} of {figures['split']}" if "split" in figures else ""
    seen = {name: figures[name] for name in _LEAKAGE if name in figures}
    remarks = Leakage(**seen).sentences() if seen else []
    title = "\n".join([f"{figures['model_id']}{side}", *remarks, *_recommended_from(figures)])
    numbers = {
        name: value
        for name, value in figures.items()
        if name not in _LEAKAGE and (isinstance(value, (int, float)) or name.startswith("precision_at"))
    }
    console = Console()
    with console.capture() as text:  # printing would end the program if the reader of the output is gone
        console.print(figures_table(numbers, title))
    click.echo(text.get(), nl=False)


def _recommended_from(figures: Mapping[str, Any]) -> list[str]:
    if all(figures.get(f"precision_at_{k}") is None for k in K_VALUES):
        return []
    pool = f"the side {figures['pool']}" if figures.get("pool") else "the evaluated tracks, without the seed itself"
    return [f"recommended from: {pool}"]


def figures_table(figures: Mapping[str, float | None], title: str) -> Table:
    """Builds a table of figures; None is a figure that was not measured."""
    lines = "\n".join(map(replace_control_characters, title.split("\n")))
    table = Table("figure", "value", title=Text(lines, "table.title", justify="center"))
    for name, value in sorted(figures.items(), key=lambda figure: _ORDER.get(figure[0], len(_ORDER))):
        text = "not measured" if value is None else f"{value:{'.0f' if name in _WHOLE_NUMBERS else '.3f'}}"
        table.add_row(_TITLES.get(name, name), text)
    return table
