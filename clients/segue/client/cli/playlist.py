"""Writes playlists that players open: extended M3U, or XSPF."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from segue.client.cli.tables import replace_control_characters
from segue.v1.track_pb2 import Track

_Command = TypeVar("_Command", bound=Callable[..., Any])

_XSPF = "http://xspf.org/ns/0/"
_ENDINGS = (".m3u", ".m3u8", ".xspf")


def playlist_option(*names: str) -> Callable[[_Command], _Command]:
    """Declares the file of a playlist, under some names."""
    return click.option(
        *names,
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_check_name,
        metavar="FILE",
        help="Also write a playlist, whose name ends in .m3u, .m3u8 or .xspf.",
    )


def _check_name(_ctx: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Checks the name of a playlist, so that no music is overwritten by mistake.

    Raises:
        click.BadParameter: it has another ending than playlists.
    """
    if file and file.suffix.lower() not in _ENDINGS:
        raise click.BadParameter(f"{str(file)!r} does not end in .m3u, .m3u8 or .xspf.")
    return file


def write_playlist(file: Path, tracks: Collection[Track]) -> None:
    """Writes a playlist in the format that the name of the file says, and prints how many tracks are left out.

    Raises:
        click.FileError: the file cannot be written.
    """
    try:
        left_out = write_xspf(file, tracks) if file.suffix.lower() == ".xspf" else write_m3u(file, tracks)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    if left_out:
        reason = "whose paths are empty or have line breaks"
        click.echo(f"segue: {file} lacks {left_out} of {len(tracks)} tracks, {reason}.", err=True)


def write_m3u(file: Path, tracks: Iterable[Track]) -> int:
    """Writes a playlist of tracks, whose paths are relative to its folder, so that both can be moved together.

    Returns:
        The number of tracks that are left out: those without a path, and those with a line break in it, for which the
        format has no form.

    Raises:
        OSError: the file cannot be written.
    """
    folder = os.path.realpath(os.fsencode(file.parent))  # players follow ".." from there
    lines, left_out = [b"#EXTM3U"], 0
    for track in tracks:
        seconds = round(track.duration.ToMilliseconds() / 1000)
        name = f"{track.artist} - {track.title}" if track.artist else track.title
        place = track.raw_path or track.path.encode()
        if not place or b"\n" in place or b"\r" in place:
            left_out += 1
            continue
        path = os.path.relpath(place, folder)
        comment = f"#EXTINF:{seconds},{replace_control_characters(name)}".encode()
        lines += [comment, b"./" + path if path.startswith(b"#") else path]  # "#" begins a comment
    file.write_bytes(b"\n".join(lines) + b"\n")
    return left_out


def write_xspf(file: Path, tracks: Iterable[Track]) -> int:
    """Writes a playlist of tracks in the format XSPF, version 1, with absolute locations.

    Returns:
        0: no track is left out, since every byte of a path can be written.

    Raises:
        OSError: the file cannot be written.
    """
    from xml.etree.ElementTree import (  # noqa: PLC0415 - so that --help is quick
        Element,
        SubElement,
        indent,
        tostring,
    )

    playlist = Element("playlist", version="1", xmlns=_XSPF)
    SubElement(playlist, "title").text = replace_control_characters(file.stem)
    track_list = SubElement(playlist, "trackList")
    for track in tracks:
        element = SubElement(track_list, "track")
        for name, text in _xspf_fields(track).items():
            if text:
                SubElement(element, name).text = replace_control_characters(text)
    indent(playlist)
    file.write_bytes(tostring(playlist, encoding="utf-8", xml_declaration=True) + b"\n")
    return 0


def _xspf_fields(track: Track) -> dict[str, str]:
    """Returns the elements of a track, some of them empty."""
    path = track.raw_path or track.path.encode()
    return {
        "location": ("file://" if path.startswith(b"/") else "") + quote(path),
        "title": track.title,
        "creator": track.artist,
        "album": track.album,
        "trackNum": str(track.track_number or ""),
        "duration": str(track.duration.ToMilliseconds() or ""),
    }
