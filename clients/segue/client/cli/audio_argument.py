"""Audio that is named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from segue.client._audio import MAX_AUDIO_BYTES, AudioSource
from segue.client.errors import AudioUnreadableError


def read_audio(file: str) -> AudioSource:
    """Returns the path of a file, or the bytes of standard input for "-".

    Raises:
        AudioUnreadableError: standard input cannot be read.
    """
    if file != "-":
        return Path(file)
    try:
        # One byte more than the limit is enough for the client to refuse it.
        return sys.stdin.buffer.read(MAX_AUDIO_BYTES + 1)
    except OSError as error:
        raise AudioUnreadableError(f"Standard input cannot be read: {error.strerror or error}.") from error
