"""Audio that is named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from segue.client._audio import AudioSource
from segue.client.errors import AudioUnreadableError, SegueError

_FIELD = "audio.content"
# The field of a clip that is sent in chunks.
_FIELDS = (_FIELD, "chunk")


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


def path_exists(text: str) -> bool:
    """Returns whether a file or folder has this name."""
    try:
        return Path(text).exists()
    except OSError:  # the text is too long for a file name
        return False


def name_file(error: SegueError, file: str) -> SegueError:
    """Returns an error whose message names the file instead of the field of the request."""
    name = "standard input" if file == "-" else file
    error.message = error.message.replace(_FIELD, name)
    if error.field in _FIELDS and name.lower() not in error.message.lower():
        error.message = f"{name}: {error.message}"
    return error
