"""The `segue track`, `segue tracks`, `segue search` and `segue status` commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path

import click
import grpc

from segue.client._calls import TRACK_ID, looks_like_a_file
from segue.client._client import Client
from segue.client.cli import options
from segue.client.cli.audio_argument import path_exists
from segue.client.cli.options import SharedOptions, shared_options
from segue.client.cli.output import print_paths
from segue.client.errors import SegueError, TrackNotFoundError
from segue.v1.track_pb2 import Track

_PAGE_SIZE = 1000
_SCREEN_LIMIT = 100
_SEARCH_LIMIT = 20

_limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Number of tracks to print.")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="TRACK_ID|external:ID|PATH...", type=click.Path())
@shared_options
@click.pass_context
def track(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Shows tracks of the catalogue.

    external:ID is a track by the id that a manifest gave it. PATH is an indexed file, by its path on the indexer's
    machine; a relative path is completed with the current folder. Of a link that is not indexed itself, the file that
    it leads to is shown.
    """
    shared = ctx.ensure_object(SharedOptions)
    output = shared.make_output()
    any_failed = False
    with shared.open_client() as client:
        outcomes = _read_by_id(client, [name for name in names if _is_id(name)])
        for name in names:
            outcome = outcomes.get(name) or _read_by_path(client, name)
            any_failed |= isinstance(outcome, SegueError)
            output.track(name, outcome)
    output.finish()
    ctx.exit(1 if any_failed else 0)


def _is_path(name: str) -> bool:
    return looks_like_a_file(name) or path_exists(name)


def _is_id(name: str) -> bool:
    return TRACK_ID.fullmatch(name) is not None and not _is_path(name)


def _read_by_id(client: Client, ids: Sequence[str]) -> dict[str, Track | SegueError]:
    """Returns the track of each id, or the error in its place; many of them are read in one call."""
    outcomes: dict[str, Track | SegueError] = {}
    for start in range(0, len(ids), _PAGE_SIZE):
        page = ids[start : start + _PAGE_SIZE]
        try:
            response = client.batch_get_tracks(page)
        except SegueError as error:
            outcomes |= dict.fromkeys(page, error)
        else:
            missing, tracks = {*response.missing_track_ids}, iter(response.tracks)  # in the order of the ids
            outcomes |= {name: _no_track(name) if name in missing else next(tracks, _no_track(name)) for name in page}
    return outcomes


def _no_track(track_id: str) -> TrackNotFoundError:
    message = f"The catalogue has no track {track_id!r}. List or search its tracks, or index the file."
    return TrackNotFoundError(message, code=grpc.StatusCode.NOT_FOUND)


def _read_by_path(client: Client, name: str) -> Track | SegueError:
    if not _is_path(name):
        return TrackNotFoundError(
            f"{name} is neither a track id (32 lower-case hexadecimal digits) nor the path of a file. Find the track: "
            "segue search WORDS",
            code=grpc.StatusCode.NOT_FOUND,
        )
    try:
        return client.get_track(Path(name))
    except TrackNotFoundError as error:
        return _read_link(client, Path(name)) or error
    except SegueError as error:
        return error


def _read_link(client: Client, path: Path) -> Track | SegueError | None:
    """Returns the track of the file that a link leads to, which the indexer prefers, or None if there is none."""
    target = Path(os.path.realpath(path))
    if not path_exists(str(path)) or target == path.absolute():
        return None
    try:
        return client.get_track(target)
    except TrackNotFoundError:
        return None
    except SegueError as error:
        return error


@click.command()
@_limit
@click.option("--all", "all_tracks", is_flag=True, help=f"Print more than {_SCREEN_LIMIT} tracks on a terminal, too.")
@options.path_format
@shared_options
@click.pass_obj
def tracks(shared: SharedOptions, limit: int | None, all_tracks: bool, path_end: str | None) -> None:
    """Lists the tracks of the catalogue in the order of their ids.

    It prints all of them into a file or a pipe, and the first 100 on a terminal.
    """
    options.check_path_format(shared, path_end)
    if limit is None and not all_tracks and not shared.json and sys.stdout.isatty():
        limit = _SCREEN_LIMIT
    with shared.open_client() as client:
        rows = client.list_tracks(page_size=min(limit or _PAGE_SIZE, _PAGE_SIZE))
        shown = list(islice(rows, limit))
        has_more = len(shown) == limit and next(rows, None) is not None
        total = client.status().track_count if has_more else None
    _print(shared, shown, total, path_end)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@_limit
@options.path_format
@shared_options
@click.pass_obj
def search(shared: SharedOptions, words: tuple[str, ...], limit: int | None, path_end: str | None) -> None:
    """Finds the tracks whose title, artist, album and path together contain every WORD.

    The best matches come first. Case and accents do not matter, and a WORD may be a part of a longer word. Without
    --limit, the first 20 tracks are printed.
    """
    options.check_path_format(shared, path_end)
    limit = limit or _SEARCH_LIMIT
    with shared.open_client() as client:
        pages = client.search_pages(" ".join(words), page_size=min(limit, _PAGE_SIZE))
        first = next(pages)
        shown = list(islice(chain.from_iterable(page.tracks for page in chain([first], pages)), limit))
    _print(shared, shown, first.match_count, path_end)


def _print(shared: SharedOptions, tracks: Iterable[Track], total: int | None, path_end: str | None) -> None:
    if path_end:
        print_paths(tracks, path_end.encode())
    else:
        shared.make_output().tracks(tracks, total)


@click.command()
@shared_options
@click.pass_obj
def status(shared: SharedOptions) -> None:
    """Shows the version and the model of the server, and the size of its catalogue."""
    with shared.open_client() as client:
        shared.make_output().status(shared.address, client.status())
