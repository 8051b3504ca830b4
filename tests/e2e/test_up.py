"""``segue up``, as people try Segue: one command that indexes and serves, and the commands that it prints."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.process_identity import start_time
from tests.e2e.conftest import BIN
from tests.helpers.indexer import write_library
from tests.helpers.machine.commands import run_command
from tests.helpers.machine.ports import free_port
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until


@contextmanager
def up(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Runs ``segue up`` in a folder, with its data below it, as in a terminal of its own."""
    command = [BIN / "segue", "up", *arguments, "--data", "data"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, text=True, process_group=0, **pipes) as process:  # type: ignore[call-overload]  # the pipes have one type
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Returns what a program prints up to a line with these words."""
    printed = ""
    assert process.stdout is not None
    for line in process.stdout:
        printed += line
        if words in line:
            return printed
    pytest.fail(f"it ended before {words!r}: {printed}")


def interrupt(process: subprocess.Popen[str]) -> int:
    """Presses Ctrl-C: the signal reaches every process in the foreground group. Returns the exit code."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(PATIENCE_SECONDS)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with three clips and a name that a shell would split."""
    return write_library(tmp_path / "my music", clips=3, seconds=4.0)


def test_from_a_folder_to_recommendations(tmp_path: Path, music: Path, tiny_model: Path) -> None:
    """The two printed commands work as they are, Ctrl-C ends everything, and another run decodes nothing."""
    address = f"127.0.0.1:{free_port()}"
    with up(tmp_path, music, "--listen", address, "--model", tiny_model) as process:
        printed = read_until(process, "Press Ctrl-C")
        assert "Files: 3 added" in printed
        assert f"Segue serves 3 tracks at {address}." in printed
        commands = re.findall(r"^  (segue .*)$", printed, re.MULTILINE)
        assert ["classify", "recommend"] == [shlex.split(command)[3] for command in commands]
        for command in commands:
            ended = run_command(BIN / "segue", *shlex.split(command)[1:])
            assert 0 == ended.returncode, ended.stderr
        redis = int((tmp_path / "data" / "redis" / "redis.pid").read_text())
        assert 0 == interrupt(process)
    wait_until(lambda: start_time(redis) is None)
    with up(tmp_path, music, "--listen", address) as process:
        assert "Files: 0 added, 3 unchanged" in read_until(process, "Press Ctrl-C")
        assert 0 == interrupt(process)


def test_without_a_folder(tmp_path: Path, tiny_model: Path) -> None:
    """Without a folder and without a catalogue it serves, and says how to index music."""
    with up(tmp_path, "--listen", "127.0.0.1:0", "--model", tiny_model) as process:
        printed = read_until(process, "Press Ctrl-C")
        assert "Segue serves 0 tracks" in printed
        assert "\n  segue up FOLDER\n" in printed
        assert 0 == interrupt(process)


def test_ctrl_c_while_it_indexes(tmp_path: Path) -> None:
    """The indexer commits its batch and says so, no server is started, and no process is left."""
    music = write_library(tmp_path / "many", clips=300, seconds=4.0)
    with up(tmp_path, music, "--listen", "127.0.0.1:0") as process:
        pid_file = tmp_path / "data" / "redis" / "redis.pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
        redis = int(pid_file.read_text())
        assert 130 == interrupt(process)
        assert process.stdout is not None
        printed = process.stdout.read()
    assert "run the same command again to continue." in printed
    assert "Starting the server" not in printed
    wait_until(lambda: start_time(redis) is None)


def test_a_port_that_is_taken(tmp_path: Path, music: Path, server: str) -> None:
    """A port in use is reported before anything is indexed, with what to do."""
    with up(tmp_path, music, "--listen", server) as process:
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert (1, True) == (process.returncode, f"a healthy server answers at {server} already." in printed), printed
        assert "For example: --listen 127.0.0.1:50052" in printed
    assert not (tmp_path / "data").exists()


def test_a_folder_without_music(tmp_path: Path) -> None:
    """The error is that of the indexer, and no server is started."""
    (tmp_path / "empty").mkdir()
    with up(tmp_path, tmp_path / "empty", "--listen", "127.0.0.1:0") as process:
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (1, True) == (process.returncode, f"There is no music under {tmp_path / 'empty'}" in printed), printed
    assert "Starting the server" not in printed
