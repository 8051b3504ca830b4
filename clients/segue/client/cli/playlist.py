"""Writes playlists in the extended M3U format, which players open."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from segue.client.cli.tables import replace_control_characters
from segue.v1.track_pb2 import Track


def write_m3u(file: Path, tracks: Iterable[Track]) -> int:
    """Writes a playlist of tracks, whose paths are relative to its folder, so that both can be moved together.

    Returns:
        The number of tracks that are left out, since the format has no form for a line break in a path.

    Raises:
        OSError: the file cannot be written.
    """
    folder = os.fsencode(file.absolute().parent)
    lines, left_out = [b"#EXTM3U"], 0
    for track in tracks:
        seconds = round(track.duration.ToMilliseconds() / 1000)
        name = f"{track.artist} - {track.title}" if track.artist else track.title
        path = os.path.relpath(track.raw_path or track.path.encode(), folder)
        if b"\n" in path or b"\r" in path:
            left_out += 1
            continue
        comment = f"#EXTINF:{seconds},{replace_control_characters(name)}".encode()
        lines += [comment, b"./" + path if path.startswith(b"#") else path]  # "#" begins a comment
    file.write_bytes(b"\n".join(lines) + b"\n")
    return left_out
