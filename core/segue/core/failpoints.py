"""Places where a test can have a program killed; inert unless ``SEGUE_FAILPOINT`` names one.

``SEGUE_FAILPOINT=before-commit:3`` kills the process the third time that it gets there.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from enum import StrEnum


class Failpoint(StrEnum):
    """Every such place; behind each of them something is done that those before it have not."""

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


_reached = Counter[str]()


def reach(failpoint: Failpoint) -> None:
    """Kills the process if this is where it is to die: as the power does, without a word to anyone."""
    wanted = os.environ.get("SEGUE_FAILPOINT")
    if wanted is None:
        return
    name, _, nth = wanted.partition(":")
    _reached[failpoint] += 1
    if (Failpoint(name), int(nth or 1)) == (failpoint, _reached[failpoint]):
        os.kill(os.getpid(), signal.SIGKILL)
