"""Kills the program at a chosen place in tests; does nothing unless ``SEGUE_FAILPOINT`` names one.

``SEGUE_FAILPOINT=before-commit:3`` kills the process the third time that it reaches that place.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from enum import StrEnum


class Failpoint(StrEnum):
    """The places where a test can kill the program."""

    AFTER_DECODE = "after-decode"
    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"
    SNAPSHOT_WRITE = "snapshot-write"
    BEFORE_RENAME = "before-rename"
    AFTER_RENAME = "after-rename"
    WHILE_REMOVING = "while-removing"
    BEFORE_SWITCH = "before-switch"
    AFTER_SWITCH = "after-switch"
    BEFORE_TRIM = "before-trim"
    AFTER_TRIM = "after-trim"


_times_reached = Counter[str]()


def reach(failpoint: Failpoint) -> None:
    """Kills the process if ``SEGUE_FAILPOINT`` names this failpoint; no cleanup runs, as after a power cut."""
    setting = os.environ.get("SEGUE_FAILPOINT")
    if setting is None:
        return
    name, _, number = setting.partition(":")
    _times_reached[failpoint] += 1
    if (Failpoint(name), int(number or 1)) == (failpoint, _times_reached[failpoint]):
        os.kill(os.getpid(), signal.SIGKILL)
