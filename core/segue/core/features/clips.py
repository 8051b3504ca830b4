"""A clip as the features of its windows, complete or still arriving."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.audio.quality import Quality
from segue.core.features.level import Loudness
from segue.core.features.windows import Windows


@dataclass(frozen=True)
class ExtractedClip:
    """A clip as input of a network.

    Attributes:
        windows: windows of the clip, at least one.
        seconds: duration of the whole clip.
        quality: quality of its signal.
    """

    windows: Windows
    seconds: float
    quality: Quality


@dataclass(frozen=True)
class PartialWindows:
    """The windows of a clip that have arrived, one after the other without gaps.

    Attributes:
        starts: start of each window in seconds from the start of the clip.
        windows: each window on its own, or None for a silent one; as many as ``starts``.
        seconds: duration of the clip that can be decoded so far.
        loudness: loudness of the clip so far, with these windows.
    """

    starts: tuple[float, ...]
    windows: tuple[Windows | None, ...]
    seconds: float
    loudness: Loudness
