"""Says how a process ended."""

from __future__ import annotations

import signal
from contextlib import suppress

# The signals by which the system stops a process that did something impossible. Others come from outside: SIGKILL is
# that of a person, or of a system that lacks memory.
_CRASHES = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}


def describe_end(exit_code: int | None) -> str:
    """Returns a predicate such as "was killed by SIGKILL".

    Args:
        exit_code: exit code of the process, the negative number of the signal that ended it, or None if it runs.
    """
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-exit_code).name}"
    return "did not start, or does not end" if exit_code is None else f"ended with exit code {exit_code}"


def was_killed(exit_code: int | None) -> bool:
    """Returns whether something outside ended the process, so that its work was not at fault."""
    return exit_code is not None and exit_code < 0 and -exit_code not in _CRASHES
