from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from segue.core.process_identity import Process, start_time


def test_this_process() -> None:
    """The calling process has its own pid, and runs."""
    this = Process.this()
    assert os.getpid() == this.pid
    assert not this.is_gone()


def test_a_zombie() -> None:
    """A process that ended is gone, even before its parent has waited for it."""
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as process:
        began = start_time(process.pid)
        assert began is not None
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None
        assert replace(Process.this(), pid=process.pid, started=began).is_gone()


def test_a_reused_pid() -> None:
    """A process with the same pid and another start time is another process."""
    assert replace(Process.this(), started="1").is_gone()


def test_a_process_in_another_place() -> None:
    """On another host or in another container, the same pid is another process, which may run."""
    assert not replace(Process.this(), place="elsewhere", started="1").is_gone()


def test_a_process_has_a_name() -> None:
    """Messages name the program and the host."""
    process = Process("host", "place", 17, "1", "segue-indexer")
    assert "segue-indexer (process 17 on host)" == str(process)
