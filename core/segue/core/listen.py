"""From the bytes of a piece of music to the windows that a network sees: the work on one piece, and nothing else.

It is a pure function of the bytes and the settings, so that threads, processes or other machines can do it alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.core.audio import open_audio
from segue.core.features import FeatureConfig
from segue.core.windows import Windows, hear


@dataclass(frozen=True)
class Piece:
    """A piece of music as a network takes it.

    Attributes:
        windows: its windows, at least one.
        seconds: how long the whole piece plays.
    """

    windows: Windows
    seconds: float


def listen(audio: Path | bytes, config: FeatureConfig, most: int) -> Piece:
    """Decodes what is needed of a piece of music and makes its windows.

    Args:
        audio: a file, or the bytes of a whole file.
        config: the settings of the front end.
        most: the most windows, at least 1.

    Raises:
        AudioError: it cannot be decoded, is too short or too long, or is silent.
        OSError: the file cannot be read.
    """
    with open_audio(audio, config.sample_rate) as source:
        return Piece(hear(source, config, most), source.seconds)
