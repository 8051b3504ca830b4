"""Writes playlists in the extended M3U format, which players open."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import click

from segue.client.cli.tables import replace_control_characters
from segue.v1.track_pb2 import Track


def check_playlist(_ctx: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Checks the name of a playlist, so that no music is overwritten by mistake.

    Raises:
        click.BadParameter: it has another ending than playlists.
    """
    if file and file.suffix.lower() not in (".m3u", ".m3u8"):
        raise click.BadParameter(f"{str(file)!r} does not end in .m3u or .m3u8.")
    return file


def write_playlist(file: Path, tracks: Collection[Track]) -> None:
    """Writes a playlist, and prints how many tracks are left out.

    Raises:
        click.FileError: the file cannot be written.
    """
    try:
        left_out = write_m3u(file, tracks)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    if left_out:
        click.echo(f"segue: {file} lacks {left_out} of {len(tracks)} tracks, whose paths have line breaks.", err=True)


def write_m3u(file: Path, tracks: Iterable[Track]) -> int:
    """Writes a playlist of tracks, whose paths are relative to its folder, so that both can be moved together.

    Returns:
        The number of tracks that are left out, since the format has no form for a line break in a path.

    Raises:
        OSError: the file cannot be written.
    """
    folder = os.path.realpath(os.fsencode(file.parent))  # players follow ".." from there
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
