"""Audio that is named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from segue.client._audio import AudioSource
from segue.client.errors import AudioUnreadableError


def read_audio(file: str) -> AudioSource:
    """Returns the path of a file, or standard input for "-".

    Raises:
        AudioUnreadableError: standard input is closed.
    """
    if file != "-":
        return Path(file)
    if sys.stdin is None:
        raise AudioUnreadableError("Standard input is closed.")
    return sys.stdin.buffer
