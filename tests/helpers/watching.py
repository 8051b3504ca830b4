"""Runs ``segue-indexer watch``, and waits for what it reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.indexer import PROGRAM
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until

Event = dict[str, Any]


class RunningWatch:
    """A process of segue-indexer watch.

    Attributes:
        process: the process.
        events: the documents that it has printed so far.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        """Starts it."""
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def wait_for(self, event: str, where: Callable[[Event], object] = lambda _event: True) -> Event:
        """Waits for an event that meets a condition, and returns it; fails if the process ends before."""
        found = list[Event]()

        def is_there() -> bool:
            found[:] = [one for one in self.events if one.get("event") == event and where(one)]
            assert found or self.process.poll() is None, f"it ended: {self.events[-1:]}"
            return bool(found)

        wait_until(is_there)
        return found[0]

    def total(self, name: str) -> int:
        """Returns the sum of a count over all batches so far."""
        return sum(event[name] for event in self.events if event.get("event") in {"walked", "changed"})

    def wait_for_total(self, name: str, number: int) -> None:
        """Waits until the sum of a count reaches a number."""
        wait_until(lambda: self.total(name) >= number or self.process.poll() is not None)
        assert number == self.total(name), self.events

    def end(self, number: int = signal.SIGTERM) -> tuple[int, Event, str]:
        """Sends a signal; returns the exit code, the last document and standard error without the progress."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        errors = "".join(line for line in self.process.stderr if not line.startswith("{"))
        code = self.process.wait(PATIENCE_SECONDS)
        self._thread.join(PATIENCE_SECONDS)
        return code, self.events[-1], errors


@contextmanager
def running_watch(
    data: Path, model: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None, ready: bool = True
) -> Iterator[RunningWatch]:
    """Watches folders with a short settle time until the end of the block; waits until changes are noticed."""
    options = ["--data", str(data), "--model", str(model), "--json", "--settle", "0.5", "--jobs", "1"]
    watch = RunningWatch([*PROGRAM, "watch", *options, *map(str, arguments)], environment or {})
    try:
        if ready:
            watch.wait_for("watching")
        yield watch
    finally:
        if watch.process.poll() is None:
            watch.process.kill()
        watch.process.wait(PATIENCE_SECONDS)
