"""The output of the commands: tables for people, or one JSON document for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable
from typing import Any, Protocol, TextIO

import click
from google.protobuf.json_format import MessageToDict

from segue.client.cli import tables
from segue.client.cli.json_text import error_dict, message_dict
from segue.client.errors import SegueError
from segue.v1.catalog_service_pb2 import GetStatusResponse
from segue.v1.classification_service_pb2 import ClassifyResponse
from segue.v1.recommendation_service_pb2 import (
    ContinueResponse,
    FindPathResponse,
    Recommendation,
    RecommendResponse,
)
from segue.v1.track_pb2 import Track

# Wider than any table, whose columns have limits of their own, so that each track is one line in a pipe.
_PIPE_WIDTH = 10_000
_DETAILS = ("timeline", "embedding", "tags", "reasons", "moments")


class Output(Protocol):
    """Prints the results of a command."""

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Prints the genres of one of several files, or its error."""

    def recommendations(self, response: RecommendResponse) -> None:
        """Prints the recommended tracks."""

    def playlist(self, response: ContinueResponse | FindPathResponse) -> None:
        """Prints the tracks of a playlist."""

    def track(self, name: str, outcome: Track | SegueError) -> None:
        """Prints one of several tracks that are named by an id or a path, or its error."""

    def tracks(self, tracks: Iterable[Track], total: int | None = None) -> None:
        """Prints tracks, which are the first of a total number, or all of them if it is None."""

    def status(self, address: str, response: GetStatusResponse) -> None:
        """Prints the status of the server at an address."""

    def error(self, error: SegueError) -> None:
        """Prints the error that ended the command."""

    def finish(self) -> None:
        """Ends the output after the last of several files or tracks."""


class TableOutput:
    """Prints tables on standard output, and errors in one sentence on standard error.

    Args:
        file: the file to print the tables on; None is standard output.
        width: its width in columns; None is the terminal's, or unlimited for a pipe.
    """

    def __init__(self, file: TextIO | None = None, width: int | None = None) -> None:
        self._file = file
        self._screen = _screen(file or sys.stdout, width)
        self._is_first = True

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Prints the genres of one file, or its error."""
        if isinstance(outcome, SegueError):
            _print_error(outcome, "" if file == "-" or file in outcome.message else f"{file}: ")
            return
        parts = [
            click.style(tables.replace_control_characters(file), bold=True),
            tables.genres(outcome.scores, self._screen),
        ]
        if outcome.timeline:
            parts.append(tables.timeline(outcome.timeline, self._screen))
        if outcome.tags:
            parts.append(tables.tags(outcome.tags, self._screen))
        quality = tables.quality(outcome.quality_flags, outcome.missing_seconds)
        if outcome.genre_unknown:
            parts.append(tables.genre_unknown())
        self._print(*parts, *quality, tables.revision(outcome.revision, self._screen))

    def recommendations(self, response: RecommendResponse) -> None:
        """Prints the tracks by rank."""
        parts = [tables.tracks(response.recommendations, self._screen, ranked=True)]
        if response.reasons:
            parts.append(tables.reasons(response.reasons, response.moments, self._screen))
        quality = tables.quality(response.quality_flags, response.missing_seconds)
        self._print(*parts, *quality, tables.revision(response.revision, self._screen))

    def playlist(self, response: ContinueResponse | FindPathResponse) -> None:
        """Prints the tracks in the order of play, and how smooth a path is."""
        parts = [tables.tracks(response.tracks, self._screen, ranked=True)]
        if isinstance(response, FindPathResponse) and response.tracks:
            greatest, mean = response.greatest_step, response.mean_step
            parts.append(f"Angle between neighbours: {greatest:.0f} degrees at most, {mean:.0f} on average.")
        self._print(*parts, tables.revision(response.revision, self._screen))

    def track(self, name: str, outcome: Track | SegueError) -> None:
        """Prints the properties of a track, or its error."""
        if isinstance(outcome, SegueError):
            _print_error(outcome, "" if name in outcome.message else f"{name}: ")
            return
        track = outcome
        self._print(
            tables.properties(
                self._screen,
                ("Title", track.title),
                ("Artist", track.artist),
                ("Artists", "; ".join(track.artists) if len(track.artists) > 1 else ""),
                ("Album", track.album),
                ("Album artist", track.album_artist if track.album_artist != track.artist else ""),
                ("Disc", str(track.disc_number or "")),
                ("Track", str(track.track_number or "")),
                ("Year", str(track.year or "")),
                ("Predicted genre", track.genre),
                ("Predicted tags", ", ".join(f"{tag.tag} {tag.score:.2f}" for tag in track.tags)),
                ("Tagged genre", "; ".join(track.tagged_genres) or track.tagged_genre),
                ("Length", tables.length(track)),
                ("Path", track.path),
                ("Track id", track.track_id),
                ("External id", track.external_id),
                ("Attributes", _attributes(track)),
                ("ISRC", track.isrc),
                ("MusicBrainz recording", track.musicbrainz_recording_id),
                ("MusicBrainz release", track.musicbrainz_release_id),
                ("MusicBrainz artists", " ".join(track.musicbrainz_artist_ids)),
            )
        )

    def tracks(self, tracks: Iterable[Track], total: int | None = None) -> None:
        """Prints the tracks in the given order, and their number."""
        rows = [Recommendation(track=track) for track in tracks]
        count = tables.count(len(rows), len(rows) if total is None else total)
        self._print(*([tables.tracks(rows, self._screen, ranked=False)] if rows else []), count)

    def status(self, address: str, response: GetStatusResponse) -> None:
        """Prints the status of the server at an address."""
        self._print(
            tables.properties(
                self._screen,
                ("Server", f"{address}, version {response.server_version}"),
                ("Model", response.revision.model_id),
                ("Genres", ", ".join(response.genres)),
                ("Tracks", f"{response.track_count:,}"),
                ("Revision", str(response.revision.catalogue_revision)),
                ("Problem", response.catalogue_problem),
            )
        )

    def error(self, error: SegueError) -> None:
        """Prints the message of an error."""
        _print_error(error)

    def finish(self) -> None:
        """Prints nothing more: each result was printed when its response came."""

    def _print(self, *parts: str) -> None:
        text = "\n".join(parts if self._is_first else ["", *parts])
        is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        click.echo(text, self._file, color=False if is_plain else None)
        self._is_first = False


def _screen(file: TextIO | None, width: int | None) -> tables.Screen:
    is_terminal = bool(file and file.isatty())
    columns = width or (shutil.get_terminal_size().columns if is_terminal else _PIPE_WIDTH)
    encoding = getattr(file, "encoding", None) or "utf-8"
    return tables.Screen(columns, unicode=encoding.lower().startswith("utf"))


class JsonOutput:
    """Prints one JSON document on standard output; an error is a document, too.

    Fields have the names of the contract. Timeline, embedding, tags and reasons are left out unless they are requested.

    Args:
        details: which of "timeline", "embedding", "tags", "reasons" and "moments" were requested.
    """

    def __init__(self, details: Collection[str] = ()) -> None:
        self._results: list[dict[str, Any]] = []
        self._left_out = [name for name in _DETAILS if name not in details]

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Keeps the result of one file for the document."""
        result = error_dict(outcome) if isinstance(outcome, SegueError) else self._without_details(outcome)
        self._results.append({"file": file, **result})

    def recommendations(self, response: RecommendResponse) -> None:
        """Prints a RecommendResponse."""
        _print_json(self._without_details(response))

    def playlist(self, response: ContinueResponse | FindPathResponse) -> None:
        """Prints a ContinueResponse or a FindPathResponse."""
        _print_json(message_dict(response))

    def track(self, name: str, outcome: Track | SegueError) -> None:
        """Keeps a track for the document."""
        result = error_dict(outcome) if isinstance(outcome, SegueError) else message_dict(outcome)
        self._results.append({"name": name, **result})

    def tracks(self, tracks: Iterable[Track], total: int | None = None) -> None:
        """Prints the tracks, and the number of all."""
        rows = [message_dict(track) for track in tracks]
        _print_json({"tracks": rows, "total": len(rows) if total is None else total})

    def status(self, address: str, response: GetStatusResponse) -> None:
        """Prints a GetStatusResponse with the address of the server."""
        _print_json({"address": address, **message_dict(response)})

    def error(self, error: SegueError) -> None:
        """Prints an error."""
        _print_json(error_dict(error))

    def finish(self) -> None:
        """Prints the results of all files or tracks."""
        _print_json({"results": self._results})

    def _without_details(self, response: ClassifyResponse | RecommendResponse) -> dict[str, Any]:
        return {name: value for name, value in message_dict(response).items() if name not in self._left_out}


def _print_error(error: SegueError, prefix: str = "") -> None:
    request = f" (request {error.request_id})" if error.request_id else ""
    click.echo(tables.replace_control_characters(f"segue: {prefix}{error.message}{request}"), err=True)


def print_paths(tracks: Iterable[Track], end: bytes) -> None:
    """Prints the paths of tracks on standard output, with the bytes of the files' names, each followed by ``end``."""
    paths = [track.raw_path or track.path.encode() for track in tracks]
    click.echo(b"".join(path + end for path in paths), nl=False)
    if broken := sum(end in path for path in paths):
        names = "1 path has a line break" if broken == 1 else f"{broken:,} paths have line breaks"
        click.echo(f"segue: {names}: use --print0.", err=True)


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))


def _attributes(track: Track) -> str:
    """Formats the attributes of a track as name=value, in the order of their names."""
    values = MessageToDict(track.attributes)
    return ", ".join(f"{name}={_attribute(values[name])}" for name in sorted(values))


def _attribute(value: str | float | bool | list[str]) -> str:
    """Formats an attribute; a truth value as --attribute accepts it."""
    if isinstance(value, list):
        return "; ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else value
