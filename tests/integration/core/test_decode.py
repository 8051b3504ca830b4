"""Decoding in a process that is killed, or has little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.audio.pcm import PcmForm, wav_header
from tests.helpers.machine.waiting import wait_until

PROGRAM = """
from segue.core.audio.decode import read_audio
read_audio(bytes([0, 0, 0, 32]) + b"ftypM4A " + bytes(1000), 22_050, lambda source: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="on other systems the temporary file has a name")
def test_a_program_that_is_killed_while_ffmpeg_decodes(tmp_path: Path) -> None:
    """No file is left in the temporary folder."""
    programs, temporary, started = tmp_path / "bin", tmp_path / "tmp", tmp_path / "started"
    programs.mkdir()
    temporary.mkdir()
    ffmpeg = programs / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\n: > '{started}'\nexec sleep 100\n", encoding="utf-8")
    ffmpeg.chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, start_new_session=True) as process:
        wait_until(started.exists)
        os.killpg(process.pid, signal.SIGKILL)

    assert [] == list(temporary.iterdir())


WITH_LITTLE_MEMORY = """
import pathlib, resource, sys
from segue.core.audio.decode import read_audio
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[5])
limit = pages * resource.getpagesize() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(read_audio(pathlib.Path(sys.argv[1]), 22_050, lambda source: source.seconds))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory that way")
def test_a_file_larger_than_the_memory(tmp_path: Path) -> None:
    """A long file needs memory only for the parts that are read."""
    path, length = tmp_path / "long.wav", 4 * 44_100 * 3_000
    path.write_bytes(wav_header(PcmForm(44_100, 2, floats=False), length))
    os.truncate(path, path.stat().st_size + length)
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY, str(path), str(length // 2)]
    assert "3000.0\n" == subprocess.run(command, check=True, capture_output=True, text=True).stdout
