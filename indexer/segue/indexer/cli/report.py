"""Output of ``segue-indexer``: progress, reports, status and verdicts, as text and as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from segue.core.quantities import quantity
from segue.indexer.catalogue.verdict import Verdict
from segue.indexer.pipeline.run_counts import MAX_REMOVED_PERCENT, RunCounts, Show, exceeds_removal_limit
from segue.indexer.settings import OutputOptions
from segue.indexer.text import escape_control_characters

_SECONDS_BETWEEN_LINES = 5.0
# More would scroll the counts off any screen; --json lists all of them.
_MAX_LINES = 50


class _Rate(ProgressColumn):
    """Recent files per second."""

    def render(self, task: Task) -> Text:
        """Returns the rate as text."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "-/s")


@contextmanager
def progress(total: int, output: OutputOptions) -> Iterator[Show]:
    """Shows the progress of a run on stderr: a bar on a terminal, else a line every few seconds.

    With ``output.as_json`` each line is a JSON document; with ``output.quiet`` there is no progress.

    Args:
        total: number of files of the run.
        output: form of the output.
    """
    if output.quiet:
        yield lambda _counts: None
    elif output.as_json:
        yield _periodically(lambda counts, seconds: json.dumps(_progress_document(counts, total, seconds)))
    elif sys.stderr.isatty():
        # A descriptor of its own: the bar stays visible while stderr is silenced.
        with (
            os.fdopen(os.dup(2), "w", encoding="utf-8") as terminal,
            progress_bar(Console(file=terminal), total) as show,
        ):
            yield show
    else:
        yield _periodically(lambda counts, seconds: _progress_line(counts, total, seconds))


@contextmanager
def progress_bar(console: Console, total: int) -> Iterator[Show]:
    """Shows the progress of a run over ``total`` files as a bar with rate, remaining time and counts."""
    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task("", total=total, counts="starting")
        yield lambda counts: bar.update(task, completed=counts.done, counts=_bar_text(counts))


def _bar_text(counts: RunCounts) -> str:
    # The first prediction loads the model, and the bar does not move until then.
    if counts.decoded and not counts.added + counts.updated:
        return f"{counts.decoded} decoded, loading the model"
    return _file_counts(counts)


def _periodically(line: Callable[[RunCounts, float], str]) -> Show:
    """Returns a function that prints a line of the counts and the elapsed seconds, at most every few seconds."""
    start = last = time.monotonic()

    def show(counts: RunCounts) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            _print_error(line(counts, now - start))

    return show


def _progress_line(counts: RunCounts, total: int, seconds: float) -> str:
    remaining = _seconds_remaining(counts, total, seconds) or 0.0
    rate = counts.done / seconds
    done = f"{counts.done:,} of {quantity(total, 'file')}"
    return f"{done}, {rate:.1f} files/s, {remaining:.0f} s left: {_file_counts(counts)}"


def _progress_document(counts: RunCounts, total: int, seconds: float) -> dict[str, float | None]:
    remaining = _seconds_remaining(counts, total, seconds)
    names = ("added", "updated", "unchanged", "skipped", "failed", "decoded", "rechecked")
    return {
        "done": counts.done,
        "total": total,
        **{name: getattr(counts, name) for name in names},
        "seconds": round(seconds, 1),
        "seconds_left": None if remaining is None else round(remaining, 1),
    }


def _seconds_remaining(counts: RunCounts, total: int, seconds: float) -> float | None:
    """Returns the estimated seconds until all files are done, or None before the first one is."""
    return seconds * (total - counts.done) / counts.done if counts.done else None


def _file_counts(counts: RunCounts) -> str:
    always = {"added", "unchanged", "failed"}
    numbers = {
        "added": counts.added,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "rechecked": counts.rechecked,
        "skipped": counts.skipped,
        "forgotten": counts.forgotten,
        "failed": counts.failed,
    }
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number or name in always)


def print_report(counts: RunCounts, output: OutputOptions, summary: str | None = None) -> None:
    """Prints the result of a run: a JSON document on stdout, or a summary there and the failures on stderr.

    Args:
        counts: the result.
        output: form of the output.
        summary: text of the summary, or None for the counts of files.
    """
    if output.as_json:
        _print_json(counts.to_dict())
        return
    _print_errors([f"failed: {failure.path}: {failure.message} [{failure.reason}]" for failure in counts.failures])
    if not output.quiet:
        _print(_run_summary(counts) if summary is None else summary)


def _run_summary(counts: RunCounts) -> str:
    if counts.dry_run:
        removal = f", and remove {quantity(counts.removed, 'track')}" if counts.removed else ""
        return f"{_dry_run(f'count {_file_counts(counts)}{removal}')}{_removal_note(counts)}{_left_out_note(counts)}"
    summary = f"Files: {_file_counts(counts)} in {counts.seconds:.1f} s."
    if counts.tracks is not None:
        removal = f", {counts.removed:,} removed" if counts.removed else ""
        summary = f"{summary} Catalogue: {quantity(counts.tracks, 'track')}{removal}{_model_note(counts)}."
    return f"{summary}{_skipped_note(counts)}{_left_out_note(counts)}"


def _model_note(counts: RunCounts) -> str:
    return f", model {counts.model}" if counts.model else ""


def _removal_note(counts: RunCounts) -> str:
    if not exceeds_removal_limit(counts.removed, counts.tracks or 0):
        return ""
    return (
        f"\nThat is more than {MAX_REMOVED_PERCENT} % of the tracks: the run needs --allow-removals, unless the files "
        "were only renamed."
    )


def _skipped_note(counts: RunCounts) -> str:
    if not counts.skipped:
        return ""
    return (
        f"\nSkipped {quantity(counts.skipped, 'file')} that failed in an earlier run and did not change since: run "
        "`segue-indexer retry` to try again."
    )


def _left_out_note(counts: RunCounts) -> str:
    phrases, advice = counts.left_out.phrases(), counts.left_out.advice()
    lines = [f"Left out: {', '.join(phrases)}."] if phrases else []
    return "".join(f"\n{line}" for line in [*lines, " ".join(advice)] if line)


def removal_summary(counts: RunCounts) -> str:
    """Returns the summary of ``segue-indexer remove``."""
    removal = f"{quantity(counts.removed, 'track')} and {quantity(counts.forgotten, 'file')}"
    tracks = quantity(counts.tracks or 0, "track")
    if counts.dry_run:
        return _dry_run(f"remove {removal} from a catalogue of {tracks}")
    return f"Removed {removal} in {counts.seconds:.1f} s. The catalogue has {tracks}."


def rebuild_summary(counts: RunCounts, revision: int) -> str:
    """Returns the summary of ``segue-indexer rebuild``."""
    index = f"the index of revision {revision} with {quantity(counts.tracks or 0, 'track')}"
    return _dry_run(f"publish {index}") if counts.dry_run else f"Published {index} in {counts.seconds:.1f} s."


def backup_summary(counts: RunCounts, file: str) -> str:
    """Returns the summary of ``segue-indexer backup``."""
    tracks = quantity(counts.tracks or 0, "track")
    if counts.dry_run:
        return _dry_run(f"write {tracks} to {file}")
    return f"Wrote {tracks} to {file} in {counts.seconds:.1f} s."


def restore_summary(counts: RunCounts, file: str) -> str:
    """Returns the summary of ``segue-indexer restore``."""
    tracks = quantity(counts.tracks or 0, "track")
    if counts.dry_run:
        return _dry_run(f"restore {tracks} from {file}")
    return f"Restored {tracks} from {file} in {counts.seconds:.1f} s."


def _dry_run(action: str) -> str:
    return f"Dry run: nothing was changed. A run would {action}."


def print_verdict(verdict: Verdict, counts: RunCounts, output: OutputOptions) -> None:
    """Prints the result of ``segue-indexer verify``: a JSON document, or a summary and the findings on stderr."""
    if output.as_json:
        problems = [
            {"what": finding.what, "problem": finding.problem, "repaired": finding not in verdict.remaining}
            for finding in verdict.findings
        ]
        _print_json({**counts.to_dict(), "problems": problems})
        return
    _print_errors([f"problem: {finding.what}: {finding.problem}" for finding in verdict.findings])
    _print(_verdict_summary(verdict, counts))


def _verdict_summary(verdict: Verdict, counts: RunCounts) -> str:
    catalogue = f"The catalogue has {quantity(counts.tracks or 0, 'track')}."
    problems = quantity(len(verdict.findings), "problem")
    if not verdict.findings:
        return f"No problems found in {counts.seconds:.1f} s. {catalogue}"
    if verdict.remaining == verdict.findings:
        return f"Found {problems}. Run `segue-indexer verify --repair` to repair what can be repaired."
    if verdict.remaining:
        repaired = sum(finding not in verdict.remaining for finding in verdict.findings)
        return f"Repaired {repaired:,} of {problems}. Run `segue-indexer verify --repair` again."
    if not counts.removed:
        return f"Repaired {problems}. {catalogue}"
    removed = f"removed {quantity(counts.removed, 'damaged track')}"
    return f"Repaired {problems} and {removed}. {catalogue} Add the music again to index what was removed."


def print_status(status: dict[str, Any], output: OutputOptions) -> None:
    """Prints the status that ``read_status`` returns: one JSON document, or lines of text."""
    if output.as_json:
        _print_json(status)
    else:
        _print("\n".join(_status_lines(status)))


def _status_lines(status: dict[str, Any]) -> Iterator[str]:
    catalogue, index, staging = status["catalogue"], status["index"], status["staging"]
    if catalogue is None:
        yield "The catalogue is empty. Run `segue-indexer add FOLDER`."
        return
    failed = ", ".join(f"{number} {reason}" for reason, number in status["failed"].items())
    published = f"revision {index['revision']}, {quantity(index['tracks'], 'track')}" if index else "none"
    yield f"redis      {status['redis']}"
    yield f"tracks     {status['tracks']}"
    yield f"revision   {status['revision']}"
    yield f"model      {catalogue['model_id']} (front end {catalogue['fingerprint']}, width {catalogue['width']})"
    yield f"catalogue  {catalogue['uuid']}"
    yield f"index      {published}"
    yield f"failed     {failed or 'none'}"
    if staging:
        tracks = quantity(staging["tracks"], "track")
        yield f"staging    {tracks} by {staging['model_id']}, from an unfinished reindex or restore"
    for failure in status["failures"] or []:
        yield escape_control_characters("{time} {path}: {message} [{reason}]".format(**failure))


def _print_errors(lines: list[str]) -> None:
    """Prints lines on stderr without control characters, up to ``_MAX_LINES`` of them."""
    for line in lines[:_MAX_LINES]:
        _print_error(escape_control_characters(line))
    if len(lines) > _MAX_LINES:
        _print_error(f"... and {len(lines) - _MAX_LINES:,} more; use --json to list them all.")


def _print_json(document: dict[str, Any]) -> None:
    _print(json.dumps(document, indent=2))


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the output of the command


def _print_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - people read it on the terminal
