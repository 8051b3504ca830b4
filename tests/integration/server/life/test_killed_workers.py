"""A process that dies in the middle of a clip: whether the music is to blame depends on how it died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.helpers.machine.deadly_ffmpeg import CLIP, write_deadly_ffmpeg
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder of the PATH, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def stubs(tmp_path: Path, tiny_model: Path, programs: Path) -> Iterator[Stubs]:
    """A server that finds the program of ``programs``."""
    with running_server("--data", str(tmp_path / "data"), "--model", str(tiny_model)) as server:
        yield Stubs(server.address)


def test_a_process_that_is_killed_once(programs: Path, stubs: Stubs) -> None:
    """The clip is analyzed by another process, and the caller does not notice."""
    write_deadly_ffmpeg(programs, "KILL", deaths=1)
    assert stubs.classify(CLIP).scores


@pytest.mark.parametrize(
    ("signal", "expected"),
    [("KILL", ("UNAVAILABLE", "WORKER_KILLED")), ("SEGV", ("INVALID_ARGUMENT", "AUDIO_UNDECODABLE"))],
)
def test_a_process_that_dies_twice(programs: Path, stubs: Stubs, signal: str, expected: tuple[str, str]) -> None:
    """If something killed it, the caller may try again after a delay; a clip that crashes it is the cause."""
    write_deadly_ffmpeg(programs, signal, deaths=2)
    with pytest.raises(grpc.RpcError) as call:
        stubs.classify(CLIP)
    *answer, details = failure(call)
    assert expected == tuple(answer)
    assert ("RetryInfo" in details) == (signal == "KILL")
    assert stubs.classify(CLIP).scores
