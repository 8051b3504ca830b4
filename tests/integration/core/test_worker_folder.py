"""The temporary folder of the worker processes is removed, however the program ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.machine.waiting import PATIENCE_SECONDS

# Runs a job, and then does what its argument says.
PROGRAM = """
import click, os, signal, sys, time
from segue.core.process_pool import ProcessPool, remove_worker_folder
from segue.core.program import Program

program = Program("test")

@program.command()
def run():
    with ProcessPool(1, eval) as pool:
        print(pool.submit('6 * 7').result(), flush=True)
        if sys.argv[2] == "_exit":
            remove_worker_folder()
            os._exit(0)
        if sys.argv[2] == "wait":
            time.sleep(600)

program(["run"])
"""


@contextmanager
def program_at_work(folder: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """Starts a program that has run a job, with its temporary files in a folder."""
    command = [sys.executable, "-c", PROGRAM, "-", then]
    with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert "42\n" == run.stdout.readline()
        yield run


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for temporary files, with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize(("then", "number", "code"), [("end", 0, 0), ("_exit", 0, 0), ("wait", signal.SIGTERM, 143)])
def test_no_folder_is_left(folder: Path, then: str, number: int, code: int) -> None:
    """A program that ends, ends without its exit handlers, or is ended by SIGTERM leaves no temporary folder."""
    with program_at_work(folder, then) as program:
        if number:
            assert 1 == len(list(folder.iterdir()))
            program.send_signal(number)
        assert code == program.wait(PATIENCE_SECONDS)
    assert [] == list(folder.iterdir())


def test_the_folder_of_a_killed_program(folder: Path) -> None:
    """The next program removes the folder of a killed one, and leaves that of a running one and those of others."""
    others = {folder / "pymp-of-others", folder / "segue-pool-a-file", folder / "segue-pool-link"}
    (folder / "pymp-of-others").mkdir()
    (folder / "segue-pool-a-file").touch()
    (folder / "segue-pool-link").symlink_to(folder / "pymp-of-others")
    with program_at_work(folder, "wait") as running:
        (used,) = set(folder.iterdir()) - others
        with program_at_work(folder, "wait") as killed:
            killed.kill()
        assert 2 == len(set(folder.iterdir()) - others)
        with program_at_work(folder, "end"):
            pass
        assert others | {used} == set(folder.iterdir())
        running.terminate()
    assert others == set(folder.iterdir())
    assert [] == list((folder / "pymp-of-others").iterdir())
