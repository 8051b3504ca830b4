"""Keeps decoding programs from the network and from all files but their input, where bubblewrap (bwrap) can."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

# What a program that the system has installed needs: itself, its libraries, and where to find them. The input is open
# already. Without --new-session, a program stays in the process group of its worker, with which it is killed.
_READABLE = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_OPTIONS = ("--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev")
# Root may open a file that another user keeps private; the files that bwrap shows have no secrets.
_ROOT_OPTIONS = ("--cap-add", "CAP_DAC_OVERRIDE")
_TRIAL_SECONDS = 10


@dataclass(frozen=True)
class Confinement:
    """The way to start a program without network and files.

    Attributes:
        command: the words before those of the program; empty if it cannot be confined.
        problem: the reason why it cannot, or empty.
    """

    command: tuple[str, ...] = ()
    problem: str = ""


@cache
def confinement(program: str) -> Confinement:
    """Tries to confine a program, once in each process.

    Args:
        program: its path.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Confinement(problem="bwrap is not on the PATH")
    readable = [word for path in _READABLE for word in ("--ro-bind-try", path, path)]
    command = (bwrap, *_OPTIONS, *(_ROOT_OPTIONS if os.geteuid() == 0 else ()), *readable)
    try:
        trial = subprocess.run(
            [*command, program, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Confinement(problem=str(error))
    if trial.returncode:
        lines = trial.stderr.decode(errors="replace").splitlines() or [f"{program} ends with {trial.returncode}"]
        return Confinement(problem=lines[0])
    return Confinement(command)
