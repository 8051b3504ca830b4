"""Progress and messages of a run, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")


def notify(text: str) -> None:
    """Prints a message as plain text; names of files in it may hold anything.

    Args:
        text: the message; its line ends are kept, other control characters are replaced.
    """
    lines = map(replace_control_characters, text.split("\n"))
    _stderr().print("\n".join(lines), highlight=False, soft_wrap=True)


def notify_dropped(reasons: Mapping[str, str]) -> None:
    """Prints the tracks that were left out, each with its reason."""
    for track, reason in reasons.items():
        notify(replace_control_characters(f"left out {track}: {reason}"))


def replace_control_characters(text: str) -> str:
    """Replaces characters that would move the cursor or end the line."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


class ProgressBar:
    """Passes results on while it shows how many of them there are."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label

    def __call__(self, results: Iterable[T], total: int) -> Iterable[T]:
        """Yields the results as they come."""
        return self._progress.track(results, total=total, description=self._label)


@contextmanager
def progress_bar(label: str) -> Iterator[ProgressBar]:
    """Shows a progress bar with the remaining time; shows nothing where standard error is not a terminal."""
    with _progress() as progress:
        yield ProgressBar(progress, label)


class EpochBar:
    """Shows the figures of each epoch as training reports it."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress = progress
        self._task = progress.add_task("training", total=epochs)
        self._epochs = epochs
        self._finished = 0
        self._later, self._label = 0, ""
        self._began = time.monotonic()

    def begin(self, number: int, trainings: int) -> None:
        """Shows that a training of a cross-validation begins; the last one is that on all clips.

        Args:
            number: number of the training, from 0.
            trainings: number of trainings.
        """
        self._later = trainings - number - 1
        self._label = f"fold {number + 1} of {trainings - 1}, " if self._later else "all clips, "

    def __call__(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Shows the figures of an epoch, counted from 1."""
        self._finished += 1
        epochs = self._epochs - epoch + self._later * self._epochs
        left = (time.monotonic() - self._began) / self._finished * epochs
        text = self._label + describe_epoch(epoch, self._epochs, figures)
        self._progress.update(self._task, completed=epoch, description=text)
        if not self._progress.console.is_terminal:
            notify(f"{text}, at most {left / 60:.0f} min left")


@contextmanager
def epoch_bar(epochs: int) -> Iterator[EpochBar]:
    """Shows a progress bar over epochs; prints a line for each epoch where standard error is not a terminal."""
    with _progress() as progress:
        yield EpochBar(progress, epochs)


def describe_epoch(epoch: int, epochs: int, figures: Mapping[str, float]) -> str:
    """Returns the figures of an epoch in one line; those of validation only where there are any."""
    text = f"epoch {epoch}/{epochs}: loss {figures['loss']:.3f}"
    if "val_log_loss" not in figures:
        return text
    return f"{text}, validation log-loss {figures['val_log_loss']:.3f}, accuracy {figures['val_accuracy']:.3f}"


def _stderr() -> Console:
    return Console(stderr=True, markup=False, emoji=False)


def _progress() -> Progress:
    console = _stderr()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
