"""Decoding in a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
