"""A decoder that hangs is killed with whoever waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_PROGRAM = """
from segue.core.audio.decode import open_audio
with open_audio(bytes([0, 0, 0, 32]) + b"ftypM4A " + bytes(1000), 22_050):
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file has to have a name")
def test_killed_while_ffmpeg_decodes_bytes(tmp_path: Path) -> None:
    """Nothing stays in the folder of temporary files."""
    programs, temporary, started = tmp_path / "bin", tmp_path / "tmp", tmp_path / "started"
    programs.mkdir()
    temporary.mkdir()
    ffmpeg = programs / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\n: > '{started}'\nexec sleep 100\n", encoding="utf-8")
    ffmpeg.chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], env=environment, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)

    assert started.exists()
    assert [] == list(temporary.iterdir())
