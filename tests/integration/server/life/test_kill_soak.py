"""Worker processes, their ffmpeg and their fork server are killed at random while honest clips are analyzed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import soundfile

from segue.core.process_identity import start_time
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.machine.processes import children_of
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, reason_of

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")

_KILLED = ("UNAVAILABLE", "WORKER_KILLED")
_CALLERS = 3
# Between two kills; a clip takes some times as long, so that most are met and some are not.
_PAUSE_SECONDS = 0.03
# A new fork server imports what it needs, and until then there is nothing to kill.
_FORK_SERVER_PAUSE_SECONDS = 1.0


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The server's folder for temporary files, with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def music(tmp_path: Path) -> list[bytes]:
    """A clip as FLAC, which libsndfile decodes, and as AAC, which needs ffmpeg."""
    flac, aac = tmp_path / "clip.flac", tmp_path / "clip.m4a"
    soundfile.write(flac, render_clip(1, 10.0), 22_050)
    command = [shutil.which("ffmpeg") or "", "-v", "error", "-nostdin", "-i", str(flac), "-c:a", "aac", str(aac)]
    subprocess.run(command, check=True)
    return [flac.read_bytes(), aac.read_bytes()]


class Killer:
    """Kills processes of a server.

    Attributes:
        seen: all processes of the server that were seen, with their start times.
        kills: number of kills by kind of process.
    """

    def __init__(self, server: int, seed: int) -> None:
        self.seen: dict[int, str] = {}
        self.kills: Counter[str] = Counter()
        self._server = server
        self._orphans: set[int] = set()
        self._random = random.Random(seed)

    def kill_any(self) -> None:
        """Kills a worker process, or a program that one has started."""
        workers = self._workers()
        programs = [program for worker in workers for program in self._descendants(worker)]
        kind, targets = ("ffmpeg", programs) if programs and self._random.random() < 0.5 else ("worker", workers)
        if targets:
            self._kill(kind, self._random.choice(targets))

    def kill_fork_server(self) -> None:
        """Kills the fork server, whose processes live on."""
        for pid in self._fork_servers():
            os.kill(pid, signal.SIGSTOP)  # so that it starts no process that would not be known
            self._orphans.update(self._remember(children_of(pid)))
            self._kill("fork server", pid)

    def survivors(self) -> list[int]:
        """Returns the processes that were seen and still exist."""
        return [pid for pid, started in self.seen.items() if start_time(pid) == started]

    def _kill(self, kind: str, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills[kind] += 1

    def _workers(self) -> list[int]:
        self._orphans = {pid for pid in self._orphans if start_time(pid) == self.seen.get(pid)}
        workers = [*self._orphans, *(child for pid in self._fork_servers() for child in children_of(pid))]
        return self._remember(workers)

    def _fork_servers(self) -> list[int]:
        children = children_of(self._server)
        return self._remember([pid for pid in children if b"forkserver" in _command(pid)])

    def _descendants(self, pid: int) -> list[int]:
        children = children_of(pid)
        return self._remember([*children, *(below for child in children for below in self._descendants(child))])

    def _remember(self, pids: list[int]) -> list[int]:
        for pid in pids:
            if started := start_time(pid):
                self.seen[pid] = started
        return pids


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _call_until(stopped: threading.Event, address: str, music: list[bytes]) -> Counter[tuple[str, str]]:
    """Classifies clips, and returns the number of answers by code and reason."""
    stubs, answers, number = Stubs(address), Counter[tuple[str, str]](), 0
    while not stopped.is_set():
        number += 1
        try:
            answers["OK", "" if stubs.classify(music[number % len(music)]).scores else "empty"] += 1
        except grpc.RpcError as error:
            answers[error.code().name, reason_of(error)] += 1
    return answers


def _kill_under_load(
    server: RunningServer, music: list[bytes], kills: int, fork_servers: int
) -> tuple[Counter[tuple[str, str]], Killer]:
    """Kills while clips are analyzed, and returns the answers of the calls and the killer."""
    killer, stopped = Killer(server.process.pid, seed=kills), threading.Event()
    with ThreadPoolExecutor(_CALLERS) as pool:
        calls = [pool.submit(_call_until, stopped, server.address, music) for _ in range(_CALLERS)]
        try:
            while killer.kills["worker"] + killer.kills["ffmpeg"] < kills:
                time.sleep(_PAUSE_SECONDS)
                killer.kill_any()
                done = killer.kills["worker"] + killer.kills["ffmpeg"]
                if killer.kills["fork server"] < done * fork_servers // kills:
                    killer.kill_fork_server()
                    time.sleep(_FORK_SERVER_PAUSE_SECONDS)
        finally:
            stopped.set()
        return sum((call.result() for call in calls), Counter()), killer


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize(
    ("kills", "fork_servers"), [(40, 2), pytest.param(10_000, 200, marks=pytest.mark.soak)], ids=["some", "many"]
)
def test_processes_are_killed(
    kills: int, fork_servers: int, tmp_path: Path, temporary: Path, tiny_model: Path, music: list[bytes]
) -> None:
    """Each call ends well or says that something was killed, and no process, socket or folder is left."""
    options = ("--data", str(tmp_path / "data"), "--model", str(tiny_model), "--workers", "2")
    with running_server(*options) as server:
        stubs = Stubs(server.address)
        answers, killer = _kill_under_load(server, music, kills, fork_servers)
        print(f"{dict(killer.kills)}: {dict(answers)}")  # noqa: T201 - shown with -s and with a failure
        assert [] == [clip for clip in music if not stubs.classify(clip).scores]
        assert fork_servers == killer.kills["fork server"]
        assert {("OK", ""), _KILLED} >= set(answers)
        assert answers["OK", ""] > 0
    wait_until(lambda: killer.survivors() == [])
    assert [] == list(temporary.iterdir())
