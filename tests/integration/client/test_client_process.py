"""The `segue` command as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests.helpers.machine.waiting import wait_until
from tests.integration.client.behaviours import fails, hangs, info
from tests.integration.client.conftest import Peer

COMMAND = [sys.executable, "-c", "from segue.client.cli.main import main; main()"]


def start(peer: Peer, *arguments: str) -> subprocess.Popen[str]:
    """Starts the command as a process."""
    return subprocess.Popen(
        [*COMMAND, "--address", peer.address, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """A file that the peer accepts as audio."""
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF")
    return str(path)


def test_process_succeeds(peer: Peer, clip: str) -> None:
    """The process prints one document and exits with 0."""
    program = start(peer, "classify", clip, "--json")
    out, err = program.communicate(timeout=60)
    assert (0, "", 1) == (program.returncode, err, len(json.loads(out)["results"]))


def test_process_fails(peer: Peer) -> None:
    """The process prints an error in one line, without a traceback, and exits with 1."""
    peer.behaviours.append(fails(grpc.StatusCode.NOT_FOUND, "There is no such track.", info("TRACK_NOT_FOUND")))
    program = start(peer, "track", "0" * 32)
    assert (("", f"segue: {'0' * 32}: There is no such track.\n"), 1) == (
        program.communicate(timeout=60),
        program.returncode,
    )


def test_interrupted(peer: Peer) -> None:
    """Ctrl-C ends a call in progress without a message, with exit code 130."""
    peer.behaviours.append(hangs)
    program = start(peer, "status")
    wait_until(lambda: bool(peer.received))
    program.send_signal(signal.SIGINT)
    assert (("", ""), 130) == (program.communicate(timeout=60), program.returncode)


@pytest.mark.parametrize(
    "arguments", [["tracks"], ["tracks", "--json"], ["tracks", "--paths"], ["status"]], ids=" ".join
)
def test_closed_pipe(peer: Peer, arguments: list[str]) -> None:
    """A pipe that its reader closes causes no message, and the exit code of a program that SIGPIPE ends."""
    program = start(peer, *arguments)
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    message = program.stderr.read()
    program.stderr.close()
    assert ("", 141) == (message, program.wait(timeout=60))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk(peer: Peer) -> None:
    """Output that cannot be written causes a message of one sentence and exit code 1."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "--address", peer.address, "status"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    expected = (1, "Error: The output cannot be written: No space left on device.\n")
    assert expected == (result.returncode, result.stderr)
