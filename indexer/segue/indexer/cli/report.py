"""What a run says: on its way to whoever watches, and at its end."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.run_counts import MOST_REMOVED, Tally
from segue.indexer.settings import Manner
from segue.indexer.text import escape_control_characters

# A line in a log every so many seconds.
_LINE_SECONDS = 5.0
# More would push the counts off any screen; --json names all of them.
_MOST_FAILURES = 50

Show = Callable[[Tally], None]


class _Rate(ProgressColumn):
    """Files a second, lately."""

    def render(self, task: Task) -> Text:
        """The rate as text."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "-/s")


@contextmanager
def progress(total: int, manner: Manner) -> Iterator[Show]:
    """Shows how far a run is, on stderr: as a bar on a terminal, in lines elsewhere.

    With ``manner.as_json`` each line is a document, with ``manner.quiet`` there is none.
    """
    if manner.quiet:
        yield lambda _tally: None
    elif manner.as_json:
        yield _now_and_then(lambda tally, seconds: json.dumps(_progress(tally, total, seconds)))
    elif sys.stderr.isatty():
        # A descriptor of its own: the bar goes on while stderr is kept quiet.
        with os.fdopen(os.dup(2), "w", encoding="utf-8") as terminal, _bar(Console(file=terminal), total) as show:
            yield show
    else:
        yield _now_and_then(lambda tally, seconds: _line_of_progress(tally, total, seconds))


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Show]:
    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task("", total=total, counts=_counts(Tally()))
        yield lambda tally: bar.update(task, completed=tally.done, counts=_counts(tally))


def _now_and_then(line: Callable[[Tally, float], str]) -> Show:
    """Says a line about the tally and the seconds until then, from time to time."""
    started = last = time.monotonic()

    def show(tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_SECONDS:
            return
        last = now
        _say(line(tally, now - started))

    return show


def _line_of_progress(tally: Tally, total: int, seconds: float) -> str:
    left = seconds * (total - tally.done) / tally.done if tally.done else 0.0
    return f"{tally.done} of {total} files, {tally.done / seconds:.1f} a second, {left:.0f} s left: {_counts(tally)}"


def _progress(tally: Tally, total: int, seconds: float) -> dict[str, float | None]:
    """How far a run is, for a program."""
    counts = ("added", "updated", "unchanged", "skipped", "failed", "decoded")
    left = round(seconds * (total - tally.done) / tally.done, 1) if tally.done else None
    return {
        "done": tally.done,
        "total": total,
        **{name: getattr(tally, name) for name in counts},
        "seconds": round(seconds, 1),
        "seconds_left": left,
    }


def _counts(tally: Tally) -> str:
    always = {"added", "unchanged", "failed"}
    counts = {
        "added": tally.added,
        "updated": tally.updated,
        "unchanged": tally.unchanged,
        "skipped": tally.skipped,
        "forgotten": tally.forgotten,
        "failed": tally.failed,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count or what in always)


def finish(tally: Tally, as_json: bool, quiet: bool, summary: str | None = None) -> None:
    """Says what a run did: one document on stdout, or the counts there and the failures on stderr.

    Args:
        tally: what it did.
        as_json: print the document.
        quiet: say nothing but what failed.
        summary: what a person reads in place of the counts of files, None for these.
    """
    if as_json:
        print(json.dumps(tally.to_dict(), indent=2))  # noqa: T201 - this is the output
        return
    for failure in tally.failures[:_MOST_FAILURES]:
        _say(_line(failure))
    if len(tally.failures) > _MOST_FAILURES:
        _say(f"... and {len(tally.failures) - _MOST_FAILURES} more; --json names them all.")
    if not quiet:
        print(_summary(tally) if summary is None else summary)  # noqa: T201 - likewise


def renewal(tally: Tally, revision: int) -> str:
    """What a person reads of an index that was made again."""
    if tally.dry_run:
        return f"The index of revision {revision} would be published: {tally.tracks} tracks; nothing was done."
    return f"The index of revision {revision} is published: {tally.tracks} tracks, in {tally.seconds:.1f} s."


def kept(tally: Tally, done: str) -> str:
    """What a person reads of a backup, and of what was done with it."""
    if tally.dry_run:
        return f"{tally.tracks} tracks would be {done}; nothing was done."
    return f"{tally.tracks} tracks were {done} in {tally.seconds:.1f} s."


def removal(tally: Tally) -> str:
    """What a person reads of files and tracks that left."""
    left = f"{tally.removed} tracks and {tally.forgotten} files"
    if tally.dry_run:
        return f"{left} of a catalogue of {tally.tracks} tracks would be removed; nothing was done."
    return f"{left} removed in {tally.seconds:.1f} s; the catalogue has {tally.tracks} tracks."


def _summary(tally: Tally) -> str:
    if tally.dry_run:
        return f"Nothing was done. It would be: {_counts(tally)}{_removed(tally)}.{_refused(tally)}"
    done = f"{_counts(tally)} in {tally.seconds:.1f} s"
    if tally.tracks is not None:
        done = f"{done}; the catalogue has {tally.tracks} tracks{_removed(tally)}"
    return f"{done}.{_skipped(tally)}"


def _refused(tally: Tally) -> str:
    if tally.removed <= MOST_REMOVED * (tally.tracks or 0):
        return ""
    share = f"{100 * MOST_REMOVED:.0f} %"
    return f"\nMore than {share} of the tracks: unless they were only renamed, that needs --allow-removals."


def _skipped(tally: Tally) -> str:
    if not tally.skipped:
        return ""
    return f"\n{tally.skipped} files failed before and have not changed since: segue-indexer retry hears them again."


def _removed(tally: Tally) -> str:
    return f", {tally.removed} removed" if tally.removed else ""


def _line(failure: Failure) -> str:
    return f"failed: {escape_control_characters(failure.path)}: {failure.message} [{failure.reason}]"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the terminal is where a person looks
