"""Callers in processes of their own that call without pause: ``python -m tests.load.callers ADDRESS CLIP``.

A caller classifies the clip and recommends for it by turns until its standard input ends. It uses the client's own
retries and no others, and prints a line for every call. SEGUE_TLS_CA and SEGUE_TOKEN are its root and its token.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segue.client import Client, Credentials, SegueError

_ROOT = Path(__file__).parents[2]
_SUCCEEDED = "succeeded"


class Callers:
    """Several callers, and the outcomes of their calls.

    Attributes:
        succeeded: number of calls that succeeded.
        errors: the errors of all other calls.
    """

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self.succeeded = 0
        self.errors: list[str] = []
        self._processes = processes
        self._lock = threading.Lock()
        self._readers = [threading.Thread(target=self._read_outcomes, args=(process,)) for process in processes]
        for reader in self._readers:
            reader.start()

    def wait_for(self, count: int) -> None:
        """Waits for so many more successful calls, or for the first failure."""
        target = self.succeeded + count
        while self.succeeded < target and not self.errors:
            time.sleep(0.02)

    def end(self) -> None:
        """Lets every caller finish its call, and reads the outcomes."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for reader in self._readers:
            reader.join()

    def _read_outcomes(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._count(line.strip())
        if process.wait():
            self._count(f"a caller ended with {process.returncode}")

    def _count(self, outcome: str) -> None:
        with self._lock:
            if outcome == _SUCCEEDED:
                self.succeeded += 1
            else:
                self.errors.append(outcome)


@contextmanager
def calling(address: str, clip: Path, credentials: Credentials, count: int) -> Iterator[Callers]:
    """Yields callers that call for the duration of the block; ``errors`` is complete after it."""
    callers = Callers([_start_caller(address, clip, credentials) for _ in range(count)])
    try:
        yield callers
    finally:
        callers.end()


def _start_caller(address: str, clip: Path, credentials: Credentials) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.load.callers", address, str(clip)]
    secrets = {"SEGUE_TLS_CA": os.fspath(credentials.ca or ""), "SEGUE_TOKEN": credentials.token or ""}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True, env=os.environ | secrets)


def _call_until_input_ends(address: str, clip: Path) -> None:
    input_reader = threading.Thread(target=sys.stdin.read, daemon=True)
    input_reader.start()
    credentials = Credentials(ca=os.environ["SEGUE_TLS_CA"] or None, token=os.environ["SEGUE_TOKEN"] or None)
    with Client(address, credentials=credentials) as client:
        for number in itertools.takewhile(lambda _: input_reader.is_alive(), itertools.count()):
            sys.stdout.write(f"{_call(client, clip, number)}\n")
            sys.stdout.flush()


def _call(client: Client, clip: Path, number: int) -> str:
    begin = time.monotonic()
    try:
        _ = client.recommend(clip, limit=5) if number % 2 else client.classify(clip)
    except SegueError as error:
        return f"after {time.monotonic() - begin:.2f} s: {error!r} {error.__cause__!r}".replace("\n", " ")
    return _SUCCEEDED


if __name__ == "__main__":
    _call_until_input_ends(sys.argv[1], Path(sys.argv[2]))
