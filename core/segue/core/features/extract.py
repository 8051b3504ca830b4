"""From the bytes of a piece of music to the windows that a network sees: the work on one piece, and nothing else.

It is a pure function of the bytes and the settings, so that threads, processes or other machines can do it alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segue.core.audio.decode import open_audio
from segue.core.audio.quality import Quality, SourceInfo
from segue.core.errors import AudioSilent
from segue.core.features.config import FeatureConfig
from segue.core.features.windows import Windows, extract_windows


@dataclass(frozen=True)
class ExtractedClip:
    """A piece of music as a network takes it.

    Attributes:
        windows: its windows, at least one.
        seconds: how long the whole piece plays.
        quality: how good its sound is.
    """

    windows: Windows
    seconds: float
    quality: Quality


def extract(
    audio: Path | bytes, config: FeatureConfig, max_windows: int, decoded: Callable[[], None] = lambda: None
) -> ExtractedClip:
    """Decodes what is needed of a piece of music and makes its windows.

    Args:
        audio: a file, or the bytes of a whole file.
        config: the settings of the front end.
        max_windows: largest number of windows, at least 1.
        decoded: called between decoding and the front end; whatever it raises ends the work.

    Raises:
        AudioError: it cannot be decoded, is too short or too long, or is silent.
        OSError: the file cannot be read.
    """
    with open_audio(audio, config.sample_rate) as source:
        decoded()
        try:
            windows = extract_windows(source, config, max_windows)
        except AudioSilent as error:
            raise _why_silent(source.origin, error) from error
        return ExtractedClip(windows, source.seconds, _quality(source.origin, windows, config.sample_rate))


def _quality(origin: SourceInfo, windows: Windows, rate: int) -> Quality:
    return Quality(
        source_rate=origin.rate,
        model_rate=rate,
        windows=len(windows.values) + windows.silent,
        silent_windows=windows.silent,
        clipped=origin.meter.clipped,
        truncated=origin.truncated,
    )


def _why_silent(origin: SourceInfo, error: AudioSilent) -> AudioSilent:
    if not origin.meter.cancelled:
        return error
    return AudioSilent(
        "The channels cancel each other out: averaged, they leave nothing to hear. Turn one of them over, or send one."
    )
