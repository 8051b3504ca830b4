"""Telling whether a process still runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from segue.core.process_identity import Process, started


def test_this_process_runs() -> None:
    """The one that asks is here, under its number."""
    this = Process.this()
    assert os.getpid() == this.pid
    assert not this.is_gone()


def test_a_process_that_ended_is_gone_before_it_is_reaped() -> None:
    """A zombie does nothing any more."""
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as process:
        began = started(process.pid)
        assert began is not None
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert started(process.pid) is None
        assert replace(Process.this(), pid=process.pid, started=began).is_gone()


def test_a_number_that_was_used_again() -> None:
    """A process with the same number that started at another time is another process."""
    assert replace(Process.this(), started="1").is_gone()


def test_nobody_knows_about_other_places() -> None:
    """On another host, or in another container, numbers mean other processes."""
    assert not replace(Process.this(), place="elsewhere", started="1").is_gone()


def test_a_process_has_a_name() -> None:
    """People read which program it is, and where."""
    process = Process("host", "place", 17, "1", "segue-indexer")
    assert "segue-indexer (process 17 on host)" == str(process)
