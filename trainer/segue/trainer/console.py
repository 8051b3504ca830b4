"""What a person sees of a run: progress and notes on standard error, tables of figures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

_TITLES = {
    "n": "tracks",
    "accuracy": "accuracy per track",
    "accuracy_low": "  95 % interval, from",
    "accuracy_high": "  to",
    "log_loss": "log-loss, nats",
    "log_loss_raw": "log-loss before the temperature",
    "log_loss_cross_fitted": "log-loss, temperature fitted on other tracks",
    "ece_raw": "calibration error before the temperature",
    "ece_cross_fitted": "calibration error, temperature fitted on other tracks",
    "window_agreement": "windows that agree with their track",
    "ece": "expected calibration error",
    "macro_f1": "macro-F1",
    "precision_at_5": "genre precision at 5",
    "precision_at_10": "genre precision at 10",
    "precision_at_5_from_train": "genre precision at 5, training tracks recommended",
    "precision_at_10_from_train": "genre precision at 10, training tracks recommended",
    "precision_at_10_other_artists": "genre precision at 10, no track of the seed's artist",
    "precision_at_10_of_mean_tags": "  the same by the cosine of mean tags",
    "accuracy_of_linear_head": "accuracy of logistic regression on mean tags",
    "log_loss_of_linear_head": "  its log-loss, nats",
    "cost": "cost of a clip beside librosa's log-mel of it",
}


def note(text: str) -> None:
    """Tells something on standard error, as it is: names of files are written by strangers."""
    _console().print("\n".join(map(_printable, text.split("\n"))), highlight=False, soft_wrap=True)


class Bar:
    """Shows how many results there are of how many."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label

    def __call__(self, results: Iterable[T], total: int) -> Iterable[T]:
        """The results as they come."""
        return self._progress.track(results, total=total, description=self._label)


@contextmanager
def bar(label: str) -> Iterator[Bar]:
    """A progress bar with the time that is left; nothing where standard error is not a terminal."""
    with _progress() as progress:
        yield Bar(progress, label)


@contextmanager
def epoch_bar(epochs: int) -> Iterator[EpochBar]:
    """A progress bar over epochs, which tells how the validation clips fare."""
    with _progress() as progress:
        yield EpochBar(progress, epochs)


class EpochBar:
    """Told of each epoch by ``train``."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress = progress
        self._task = progress.add_task("training", total=epochs)
        self._epochs = epochs
        self._done = 0
        self._began = time.monotonic()

    def __call__(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Shows the figures of an epoch, counted from 1."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._epochs - epoch)
        text = (
            f"epoch {epoch}/{self._epochs}: loss {figures['loss']:.3f}, "
            f"validation log-loss {figures['val_log_loss']:.3f}, "
            f"accuracy {figures['val_accuracy']:.3f}"
        )
        self._progress.update(self._task, completed=epoch, description=text)
        if not self._progress.console.is_terminal:
            note(f"{text}, {left / 60:.0f} min left at most")


def dropped(reasons: Mapping[str, str]) -> None:
    """Names the files that were left out, and why."""
    for track, reason in reasons.items():
        note(_printable(f"left out {track}: {reason}"))


def figures_table(figures: Mapping[str, float | None], title: str) -> Table:
    """Figures as a person reads them; None is what too few tracks do not have."""
    lines = "\n".join(map(_printable, title.split("\n")))
    table = Table("figure", "value", title=Text(lines, "table.title", justify="center"))
    for name, value in figures.items():
        shown = "too few tracks" if value is None else f"{value:.0f}" if name == "n" else f"{value:.3f}"
        table.add_row(_TITLES.get(name, name), shown)
    return table


def _console() -> Console:
    return Console(stderr=True, markup=False, emoji=False)


def _printable(text: str) -> str:
    """Replaces what would move the cursor or end the line."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _progress() -> Progress:
    console = _console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
