"""How the command answers: tables for people, or one JSON document for programs."""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any, Protocol, TextIO

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from segue.client.cli import tables
from segue.client.errors import SegueError
from segue.v1.catalog_service_pb2 import GetStatusResponse
from segue.v1.classification_service_pb2 import ClassifyResponse
from segue.v1.recommendation_service_pb2 import Recommendation, RecommendResponse
from segue.v1.track_pb2 import Track

# Wider than any table, so that what is read by another program is neither cut nor folded.
_PIPE_WIDTH = 10_000


class Output(Protocol):
    """Where the command's answers go."""

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Tells the genres of one file of several, or why there are none."""

    def recommendations(self, answer: RecommendResponse) -> None:
        """Tells which tracks sound nearest."""

    def track(self, track: Track) -> None:
        """Tells all that is known of one track."""

    def tracks(self, tracks: Iterable[Track]) -> None:
        """Tells the tracks of the catalogue."""

    def status(self, address: str, answer: GetStatusResponse) -> None:
        """Tells the state of the server at an address."""

    def error(self, error: SegueError) -> None:
        """Tells why there is no answer at all."""

    def end(self) -> None:
        """Ends the answer; called where several files were asked for."""


class Tables:
    """Prints tables on standard output and errors as one sentence each on standard error.

    Args:
        file: Where to print the tables; None is standard output.
        width: How many columns it has; None is those of the terminal, or as many as are needed where there is none.
    """

    def __init__(self, file: TextIO | None = None, width: int | None = None) -> None:
        self._file = file
        self._screen = _screen(file or sys.stdout, width)
        self._printed = False

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Prints the genres of one file, or why there are none."""
        if isinstance(outcome, SegueError):
            _complain(outcome, "" if file in outcome.message else f"{file}: ")
            return
        parts = [click.style(tables.printable(file), bold=True), tables.genres(outcome.scores, self._screen)]
        if outcome.timeline:
            parts.append(tables.timeline(outcome.timeline, self._screen))
        self._print(*parts, *tables.flaws(outcome.quality_flags), tables.revision(outcome.revision, self._screen))

    def recommendations(self, answer: RecommendResponse) -> None:
        """Prints tracks by rank."""
        ranking = tables.tracks(answer.recommendations, self._screen, ranked=True)
        self._print(ranking, *tables.flaws(answer.quality_flags), tables.revision(answer.revision, self._screen))

    def track(self, track: Track) -> None:
        """Prints all that is known of one track."""
        self._print(
            tables.facts(
                self._screen,
                ("Title", track.title),
                ("Artist", track.artist),
                ("Album", track.album),
                ("Year", str(track.year or "")),
                ("Genre heard", track.genre),
                ("Genre tagged", track.tagged_genre),
                ("Length", tables.length(track)),
                ("Path", track.path),
                ("Track id", track.track_id),
            )
        )

    def tracks(self, tracks: Iterable[Track]) -> None:
        """Prints tracks in the order in which they come."""
        rows = [Recommendation(track=track) for track in tracks]
        count = click.style("1 track" if len(rows) == 1 else f"{len(rows):,} tracks", dim=True)
        self._print(tables.tracks(rows, self._screen, ranked=False), count)

    def status(self, address: str, answer: GetStatusResponse) -> None:
        """Prints the state of the server at an address."""
        self._print(
            tables.facts(
                self._screen,
                ("Server", f"{address}, version {answer.server_version}"),
                ("Model", answer.revision.model_id),
                ("Genres", ", ".join(answer.genres)),
                ("Tracks", f"{answer.track_count:,}"),
                ("Revision", str(answer.revision.catalogue_revision)),
                ("Problem", answer.catalogue_problem),
            )
        )

    def error(self, error: SegueError) -> None:
        """Prints the sentence of an error."""
        _complain(error)

    def end(self) -> None:
        """Does nothing: every file was printed as soon as it was answered."""

    def _print(self, *parts: str) -> None:
        text = "\n".join(["", *parts] if self._printed else parts)
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        click.echo(text, self._file, color=False if plain else None)
        self._printed = True


def _screen(file: TextIO | None, width: int | None) -> tables.Screen:
    terminal = bool(file and file.isatty())
    columns = width or (shutil.get_terminal_size().columns if terminal else _PIPE_WIDTH)
    encoding = getattr(file, "encoding", None) or "utf-8"
    return tables.Screen(columns, drawn=encoding.lower().startswith("utf"))


class Documents:
    """Prints one JSON document on standard output, an error being one too.

    Fields are named and written as protobuf's JSON says, with the names of the contract.
    """

    def __init__(self) -> None:
        self._results: list[dict[str, Any]] = []

    def classification(self, file: str, outcome: ClassifyResponse | SegueError) -> None:
        """Keeps the result of one file for the end."""
        result = _error(outcome) if isinstance(outcome, SegueError) else _fields(outcome)
        self._results.append({"file": file, **result})

    def recommendations(self, answer: RecommendResponse) -> None:
        """Prints a RecommendResponse."""
        _dump(_fields(answer))

    def track(self, track: Track) -> None:
        """Prints a Track."""
        _dump(_fields(track))

    def tracks(self, tracks: Iterable[Track]) -> None:
        """Prints tracks under the name that ListTracksResponse gives them."""
        _dump({"tracks": [_fields(track) for track in tracks]})

    def status(self, address: str, answer: GetStatusResponse) -> None:
        """Prints a GetStatusResponse, with the address that it came from."""
        _dump({"address": address, **_fields(answer)})

    def error(self, error: SegueError) -> None:
        """Prints an error."""
        _dump(_error(error))

    def end(self) -> None:
        """Prints the results of all files, however many there were."""
        _dump({"results": self._results})


def _complain(error: SegueError, about: str = "") -> None:
    request = f" (request {error.request_id})" if error.request_id else ""
    click.echo(tables.printable(f"segue: {about}{error.message}{request}"), err=True)


def _fields(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _error(error: SegueError) -> dict[str, Any]:
    facts = {
        "reason": error.reason,
        "message": error.message,
        "code": error.code.name,
        "metadata": error.metadata,
        "field": error.field,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
    }
    return {"error": facts}


def _dump(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))
