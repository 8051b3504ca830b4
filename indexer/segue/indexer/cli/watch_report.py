"""Output of ``segue-indexer watch``: a line for each batch, as text or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from segue.core.catalogue.display_path import display_path
from segue.core.quantities import quantity
from segue.indexer.cli.report import progress
from segue.indexer.pipeline.run_counts import RunCounts, Show
from segue.indexer.settings import OutputOptions
from segue.indexer.text import escape_control_characters
from segue.indexer.watching.report import WatchTotals

_SHOWN = ("added", "updated", "rechecked", "forgotten", "failed")


class LineReport:
    """Prints a line for each event: what was done on stdout, failures and problems on stderr.

    With ``as_json`` each line is a JSON document on stdout, with an ``event`` and a ``time``.
    """

    def __init__(self, output: OutputOptions) -> None:
        """Prints nothing yet.

        Args:
            output: form of the output.
        """
        self._output = output

    def new_counts(self) -> RunCounts:
        """Returns counts that list the indexed files where the output has them."""
        return RunCounts(indexed=[] if self._output.as_json else None)

    def walking(self, total: int) -> AbstractContextManager[Show]:
        """Shows the progress as ``sync`` does."""
        return progress(total, self._output)

    def watching(self, folders: Sequence[Path]) -> None:
        """Says that changes are noticed from now on."""
        names = list(map(display_path, folders))
        self._print("watching", f"Watching {', '.join(names)}. Ctrl-C stops.", folders=names)

    def applied(self, counts: RunCounts, *, is_walk: bool) -> None:
        """Prints the counts of a batch, and each failure."""
        if not self._output.as_json:
            for failure in counts.failures:
                self._print_error(f"failed: {failure.path}: {failure.message} [{failure.reason}]")
        tracks = f" Catalogue: {quantity(counts.tracks or 0, 'track')}."
        done = (
            f"{'Walked through the folders: ' if is_walk else ''}{_numbers(counts)} in {counts.seconds:.1f} s.{tracks}"
        )
        self._print("walked" if is_walk else "changed", done, **counts.to_dict())

    def problem(self, reason: str, message: str) -> None:
        """Prints a problem."""
        if self._output.as_json:
            self._print("problem", message, reason=reason, message=message)
        else:
            self._print_error(message)

    def resumed(self, message: str) -> None:
        """Says that a problem is over."""
        self._print("resumed", f"{message}.", message=message)

    def ended(self, totals: WatchTotals) -> None:
        """Prints the sums over all batches."""
        text = f"Stopped. {quantity(totals.batches, 'batch', 'batches')}: {_numbers(totals)}."
        self._print("ended", text, **totals.to_dict())

    def _print(self, event: str, text: str, **fields: Any) -> None:  # noqa: ANN401 - values of JSON
        now = datetime.now().astimezone()
        if self._output.as_json:
            document = {"event": event, "time": now.isoformat(timespec="milliseconds"), **fields}
            print(json.dumps(document), flush=True)  # noqa: T201 - the output of the command
        elif not self._output.quiet:
            print(f"{now:%H:%M:%S} {escape_control_characters(text)}", flush=True)  # noqa: T201 - likewise

    @staticmethod
    def _print_error(text: str) -> None:
        line = f"{datetime.now().astimezone():%H:%M:%S} {escape_control_characters(text)}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - likewise


def _numbers(counts: RunCounts | WatchTotals) -> str:
    """Returns the numbers that are not 0, as text."""
    numbers = {name: getattr(counts, name) for name in _SHOWN}
    removed = [f"{quantity(counts.removed, 'track')} removed"] if counts.removed else []
    return ", ".join([*(f"{number:,} {name}" for name, number in numbers.items() if number), *removed]) or "no change"
