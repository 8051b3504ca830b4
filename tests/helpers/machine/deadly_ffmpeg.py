"""Writes a program "ffmpeg" that kills the process that starts it."""

from __future__ import annotations

from pathlib import Path

import soundfile

from segue.core.testing.synthetic_clips import render_clip

CLIP = bytes([0, 0, 0, 32]) + b"ftypM4A " + bytes(1_000)
"""Bytes that look like MP4, so that they are given to ffmpeg."""


def write_deadly_ffmpeg(folder: Path, signal: str, deaths: int) -> None:
    """Writes it into a folder for the PATH.

    Args:
        folder: the folder.
        signal: name of the signal that it sends, without SIG.
        deaths: number of times that it does so; after that it decodes any file to 4 s of sound.
    """
    log, sound, program = (folder / name for name in ("deaths", "sound.au", "ffmpeg"))
    soundfile.write(sound, render_clip(1, 4.0), 22_050, subtype="FLOAT", endian="BIG")
    is_over = f"[ $(wc -l < '{log}') -gt {deaths} ]"
    lines = ("#!/bin/sh", f"echo x >> '{log}'", f"{is_over} || kill -{signal} $PPID", f"exec cat '{sound}'")
    program.write_text("\n".join(lines), encoding="utf-8")
    program.chmod(0o755)
