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
from segue.indexer.pipeline.run_counts import MAX_REMOVED_SHARE, RunCounts, Show
from segue.indexer.settings import OutputOptions
from segue.indexer.text import escape_control_characters

# A line in a log every so many seconds.
_LINE_SECONDS = 5.0
# More would push the numbers off any screen; --json names all of them.
_MOST_FAILURES = 50


class _Rate(ProgressColumn):
    """Files a second, lately."""

    def render(self, task: Task) -> Text:
        """The rate as text."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "-/s")


@contextmanager
def progress(total: int, output: OutputOptions) -> Iterator[Show]:
    """Shows how far a run is, on stderr: as a bar on a terminal, in lines elsewhere.

    With ``output.as_json`` each line is a document, with ``output.quiet`` there is none.
    """
    if output.quiet:
        yield lambda _counts: None
    elif output.as_json:
        yield _now_and_then(lambda counts, seconds: json.dumps(_progress(counts, total, seconds)))
    elif sys.stderr.isatty():
        # A descriptor of its own: the bar goes on while stderr is kept quiet.
        with os.fdopen(os.dup(2), "w", encoding="utf-8") as terminal, _bar(Console(file=terminal), total) as show:
            yield show
    else:
        yield _now_and_then(lambda counts, seconds: _line_of_progress(counts, total, seconds))


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
        task = bar.add_task("", total=total, counts=_counts_text(RunCounts()))
        yield lambda counts: bar.update(task, completed=counts.done, counts=_counts_text(counts))


def _now_and_then(line: Callable[[RunCounts, float], str]) -> Show:
    """Says a line about the counts and the seconds until then, from time to time."""
    started = last = time.monotonic()

    def show(counts: RunCounts) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_SECONDS:
            return
        last = now
        _say(line(counts, now - started))

    return show


def _line_of_progress(counts: RunCounts, total: int, seconds: float) -> str:
    left = seconds * (total - counts.done) / counts.done if counts.done else 0.0
    rate = counts.done / seconds
    return f"{counts.done} of {total} files, {rate:.1f} a second, {left:.0f} s left: {_counts_text(counts)}"


def _progress(counts: RunCounts, total: int, seconds: float) -> dict[str, float | None]:
    """How far a run is, for a program."""
    numbers = ("added", "updated", "unchanged", "skipped", "failed", "decoded")
    left = round(seconds * (total - counts.done) / counts.done, 1) if counts.done else None
    return {
        "done": counts.done,
        "total": total,
        **{name: getattr(counts, name) for name in numbers},
        "seconds": round(seconds, 1),
        "seconds_left": left,
    }


def _counts_text(counts: RunCounts) -> str:
    always = {"added", "unchanged", "failed"}
    numbers = {
        "added": counts.added,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "skipped": counts.skipped,
        "forgotten": counts.forgotten,
        "failed": counts.failed,
    }
    return ", ".join(f"{count} {what}" for what, count in numbers.items() if count or what in always)


def finish(counts: RunCounts, as_json: bool, quiet: bool, summary: str | None = None) -> None:
    """Says what a run did: one document on stdout, or the numbers there and the failures on stderr.

    Args:
        counts: what it did.
        as_json: print the document.
        quiet: say nothing but what failed.
        summary: what a person reads in place of the numbers of files, None for these.
    """
    if as_json:
        print(json.dumps(counts.to_dict(), indent=2))  # noqa: T201 - this is the output
        return
    for failure in counts.failures[:_MOST_FAILURES]:
        _say(_line(failure))
    if len(counts.failures) > _MOST_FAILURES:
        _say(f"... and {len(counts.failures) - _MOST_FAILURES} more; --json names them all.")
    if not quiet:
        print(_summary(counts) if summary is None else summary)  # noqa: T201 - likewise


def renewal(counts: RunCounts, revision: int) -> str:
    """What a person reads of an index that was made again."""
    if counts.dry_run:
        return f"The index of revision {revision} would be published: {counts.tracks} tracks; nothing was done."
    return f"The index of revision {revision} is published: {counts.tracks} tracks, in {counts.seconds:.1f} s."


def kept(counts: RunCounts, done: str) -> str:
    """What a person reads of a backup, and of what was done with it."""
    if counts.dry_run:
        return f"{counts.tracks} tracks would be {done}; nothing was done."
    return f"{counts.tracks} tracks were {done} in {counts.seconds:.1f} s."


def removal(counts: RunCounts) -> str:
    """What a person reads of files and tracks that left."""
    left = f"{counts.removed} tracks and {counts.forgotten} files"
    if counts.dry_run:
        return f"{left} of a catalogue of {counts.tracks} tracks would be removed; nothing was done."
    return f"{left} removed in {counts.seconds:.1f} s; the catalogue has {counts.tracks} tracks."


def _summary(counts: RunCounts) -> str:
    if counts.dry_run:
        return f"Nothing was done. It would be: {_counts_text(counts)}{_removed(counts)}.{_refused(counts)}"
    done = f"{_counts_text(counts)} in {counts.seconds:.1f} s"
    if counts.tracks is not None:
        done = f"{done}; the catalogue has {counts.tracks} tracks{_removed(counts)}"
    return f"{done}.{_skipped(counts)}"


def _refused(counts: RunCounts) -> str:
    if counts.removed <= MAX_REMOVED_SHARE * (counts.tracks or 0):
        return ""
    share = f"{100 * MAX_REMOVED_SHARE:.0f} %"
    return f"\nMore than {share} of the tracks: unless they were only renamed, that needs --allow-removals."


def _skipped(counts: RunCounts) -> str:
    if not counts.skipped:
        return ""
    return f"\n{counts.skipped} files failed before and have not changed since: segue-indexer retry hears them again."


def _removed(counts: RunCounts) -> str:
    return f", {counts.removed} removed" if counts.removed else ""


def _line(failure: Failure) -> str:
    return f"failed: {escape_control_characters(failure.path)}: {failure.message} [{failure.reason}]"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the terminal is where a person looks
