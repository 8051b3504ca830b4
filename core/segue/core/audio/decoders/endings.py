"""File name endings of music."""

from __future__ import annotations

# fmt: off
ENDINGS = frozenset({
    ".aac", ".aif", ".aifc", ".aiff", ".au", ".bw64", ".bwf", ".caf", ".flac", ".m2a", ".m4a", ".m4b", ".mka", ".mp1",
    ".mp2", ".mp3", ".mp4", ".mpa", ".mpga", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave", ".wma",
})
"""Endings of files that are always opened, in lower case.

A few of them need ffmpeg: .aac, .m4a, .m4b, .mka, .mp4 and .wma. They are so usual that a file fails without it.
"""

FFMPEG_ENDINGS = frozenset({
    ".3g2", ".3ga", ".3gp", ".aa3", ".ac3", ".adts", ".amr", ".ape", ".asf", ".at3", ".awb", ".dff", ".dsf", ".dts",
    ".dtshd", ".eac3", ".ec3", ".f4a", ".loas", ".m4r", ".mlp", ".mp+", ".mpc", ".oma", ".shn", ".spx", ".tak", ".thd",
    ".tta", ".voc", ".weba", ".webm", ".wsd", ".wv", ".xwm", ".xwma",
})
"""Endings of files that only ffmpeg decodes, in lower case; they are left out where it is not on the PATH."""
# fmt: on
