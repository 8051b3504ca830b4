"""Callers in processes of their own, who ask without pause: ``python -m tests.load.callers ADDRESS CLIP``.

A caller classifies the clip and recommends for it by turns until its standard input ends, with the retries that the
client makes by itself and no others, and prints a line for every call. SEGUE_TLS_CA and SEGUE_TOKEN open the server.
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
_ANSWERED = "answered"


class Callers:
    """What several callers were answered.

    Attributes:
        answered: how many calls were answered well.
        failed: what was said of every other.
    """

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._processes = processes
        self._noting = threading.Lock()
        self._readers = [threading.Thread(target=self._read, args=(process,)) for process in processes]
        for reader in self._readers:
            reader.start()

    def wait_for(self, more: int) -> None:
        """Waits for so many more answers, or for the first failure."""
        enough = self.answered + more
        while self.answered < enough and not self.failed:
            time.sleep(0.02)

    def end(self) -> None:
        """Lets every caller finish its call, and reads what came of it."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for reader in self._readers:
            reader.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._note(line.strip())
        if process.wait():
            self._note(f"a caller ended with {process.returncode}")

    def _note(self, said: str) -> None:
        with self._noting:
            if said == _ANSWERED:
                self.answered += 1
            else:
                self.failed.append(said)


@contextmanager
def calling(address: str, clip: Path, credentials: Credentials, count: int) -> Iterator[Callers]:
    """Callers who ask as long as the block lasts; ``failed`` is whole behind it."""
    callers = Callers([_caller(address, clip, credentials) for _ in range(count)])
    try:
        yield callers
    finally:
        callers.end()


def _caller(address: str, clip: Path, credentials: Credentials) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.load.callers", address, str(clip)]
    opened = {"SEGUE_TLS_CA": os.fspath(credentials.ca or ""), "SEGUE_TOKEN": credentials.token or ""}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True, env=os.environ | opened)


def _call(address: str, clip: Path) -> None:
    told_to_end = threading.Thread(target=sys.stdin.read, daemon=True)
    told_to_end.start()
    credentials = Credentials(ca=os.environ["SEGUE_TLS_CA"] or None, token=os.environ["SEGUE_TOKEN"] or None)
    with Client(address, credentials=credentials) as client:
        for number in itertools.takewhile(lambda _: told_to_end.is_alive(), itertools.count()):
            sys.stdout.write(f"{_asked(client, clip, number)}\n")
            sys.stdout.flush()


def _asked(client: Client, clip: Path, number: int) -> str:
    begun = time.monotonic()
    try:
        _ = client.recommend(clip, limit=5) if number % 2 else client.classify(clip)
    except SegueError as error:
        return f"after {time.monotonic() - begun:.2f} s: {error!r} {error.__cause__!r}".replace("\n", " ")
    return _ANSWERED


if __name__ == "__main__":
    _call(sys.argv[1], Path(sys.argv[2]))
