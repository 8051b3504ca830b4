"""Extracts a network's windows from the bytes of a clip.

The result depends only on the bytes and the settings, so any thread, process or machine can do the work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segue.core.audio.decode import read_audio
from segue.core.audio.quality import Quality, SourceInfo
from segue.core.audio.sources import AudioSource
from segue.core.errors import AudioSilent
from segue.core.features.clips import ExtractedClip
from segue.core.features.config import FeatureConfig
from segue.core.features.window_features import extract_windows
from segue.core.features.windows import Windows


def extract(
    audio: Path | bytes, config: FeatureConfig, max_windows: int, on_decoded: Callable[[], None] = lambda: None
) -> ExtractedClip:
    """Extracts the windows of a clip, and decodes only what they need.

    Args:
        audio: a file, or the bytes of a whole file.
        config: settings of the front end.
        max_windows: greatest number of windows, at least 1.
        on_decoded: called after decoding and before the front end; an error that it raises ends the work.

    Raises:
        AudioError: the clip cannot be decoded, is too short or too long, or is silent.
        OSError: the file cannot be read.
    """

    def extract_from(source: AudioSource) -> ExtractedClip:
        on_decoded()
        try:
            windows = extract_windows(source, config, max_windows)
        except AudioSilent as error:
            raise _explain_silence(source.info, error) from error
        return ExtractedClip(windows, source.seconds, _quality(source.info, windows, config.sample_rate))

    return read_audio(audio, config.sample_rate, extract_from)


def _quality(info: SourceInfo, windows: Windows, rate: int) -> Quality:
    return Quality(
        source_rate=info.rate,
        model_rate=rate,
        windows=len(windows.values) + windows.silent,
        silent_windows=windows.silent,
        short=windows.short,
        clipped=info.meter.clipped,
        flaws=info.flaws,
    )


def _explain_silence(info: SourceInfo, error: AudioSilent) -> AudioSilent:
    if not info.meter.cancelled:
        return error
    return AudioSilent(
        "The channels cancel each other out: their average is silent. Invert one of them, or send only one."
    )
