"""A file that takes too much time or memory fails alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile

from segue.core.errors import WorkerTimedOut
from segue.core.features.config import FeatureConfig
from segue.core.process_pool import ProcessPool
from segue.core.testing.synthetic_clips import render_clip
from segue.core.worker_process import JobLimits
from segue.indexer.pipeline.examine import examine
from segue.indexer.pipeline.records import Examined, Failure
from tests.helpers.indexer import Indexer, run_json
from tests.helpers.machine.deadly_ffmpeg import CLIP, write_deadly_ffmpeg
from tests.helpers.machine.waiting import PATIENCE_SECONDS


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of thirty seconds."""
    path = tmp_path / "clip.flac"
    soundfile.write(path, render_clip(1, 30.0), 22_050)
    return path


@pytest.fixture
def workers() -> Iterator[ProcessPool[Path, Examined | Failure]]:
    """One worker process with a limit of four seconds for a file."""
    work = partial(examine, config=FeatureConfig(), max_windows=10)
    with ProcessPool(1, work, preload=["segue.core.features.extract"], limits=JobLimits(seconds=4.0)) as pool:
        yield pool


def test_a_file_that_is_never_read_to_its_end(workers: ProcessPool[Path, Examined | Failure], clip: Path) -> None:
    """A decoder that waits forever is killed; the files before and after it are examined."""
    trap = clip.with_name("trap.wav")
    os.mkfifo(trap)
    first, trapped, last = (workers.submit(path) for path in (clip, trap, clip))

    with pytest.raises(WorkerTimedOut):
        trapped.result(PATIENCE_SECONDS)
    assert isinstance(first.result(PATIENCE_SECONDS), Examined)
    assert isinstance(last.result(PATIENCE_SECONDS), Examined)


def test_the_failure_says_what_to_do() -> None:
    """Its message names the option that raises the limit."""
    failure = Failure.from_error(Path("/music/long.mp3"), WorkerTimedOut("It took longer than 3 s."))
    assert "FILE_TIMED_OUT" == failure.reason
    assert "segue-indexer retry --reason FILE_TIMED_OUT --file-seconds N" in failure.message


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--file-seconds=0.001", "FILE_TIMED_OUT"),
        pytest.param(
            "--file-memory=1",
            "FILE_TOO_MUCH_MEMORY",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way"),
        ),
    ],
)
def test_a_file_that_takes_too_much_fails(
    tmp_path: Path, tiny_model: Path, clip: Path, option: str, reason: str
) -> None:
    """It is recorded as failed, skipped by later runs, and added when retry raises the limit."""
    options = ("--data", tmp_path / "data", "--model", tiny_model)

    assert [reason] == [failure["reason"] for failure in report("add", clip.parent, *options, option)["failures"]]
    assert 1 == report("add", clip.parent, *options)["skipped"]
    assert 1 == report("retry", "--reason", reason, *options)["added"]


def write_deadly_song(folder: Path, monkeypatch: pytest.MonkeyPatch, signal: str, deaths: int) -> Path:
    """Writes a folder with two songs; the worker that decodes the second gets a signal the first times."""
    music, programs = folder / "music", folder / "bin"
    music.mkdir()
    programs.mkdir()
    (music / "song.m4a").write_bytes(CLIP)
    soundfile.write(music / "other.wav", render_clip(2, 4.0), 22_050)
    write_deadly_ffmpeg(programs, signal, deaths)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return music


def test_a_file_whose_worker_is_killed_once(tmp_path: Path, indexer: Indexer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is examined once more."""
    music = write_deadly_song(tmp_path, monkeypatch, "KILL", deaths=1)
    document = indexer.report(music, "--jobs", "1")
    assert ([], 2) == (document["failures"], document["tracks"])


@pytest.mark.parametrize(
    ("signal", "reason", "exit_code", "tracks_later"), [("KILL", "WORKER_KILLED", 1, 2), ("SEGV", "WORKER_DIED", 0, 1)]
)
def test_a_file_whose_worker_dies_twice(
    tmp_path: Path,
    indexer: Indexer,
    monkeypatch: pytest.MonkeyPatch,
    signal: str,
    reason: str,
    exit_code: int,
    tracks_later: int,
) -> None:
    """It fails. If something killed the workers, the run is not complete, and the next one tries the file again."""
    music = write_deadly_song(tmp_path, monkeypatch, signal, deaths=2)
    ended = indexer.add(music, "--jobs", "1", "--json")
    assert exit_code == ended.returncode
    assert [reason] == [failure["reason"] for failure in json.loads(ended.stdout)["failures"]]
    assert tracks_later == indexer.report(music)["tracks"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_run_can_be_nice(tmp_path: Path, tiny_model: Path, clip: Path) -> None:
    """With --nice the run and its workers have that niceness."""
    command = Indexer(tmp_path / "data", tiny_model).command(clip, "--nice", "7")
    niceness = set[str]()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with suppress(OSError):
                stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
                niceness.add(stat.rpartition(")")[2].split()[16])
            time.sleep(0.01)

    assert 0 == process.returncode
    assert str(min(19, os.nice(0) + 7)) in niceness


def report(*arguments: str | Path) -> dict[str, Any]:
    """Returns the report of a run with one job."""
    return run_json(*arguments, "--jobs", "1")
