"""The `segue playlist` command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segue.client._client import Client
from segue.client.cli import options
from segue.client.cli.criteria import Criteria, criteria_options, explain_missing
from segue.client.cli.options import SharedOptions
from segue.client.cli.output import print_paths
from segue.client.cli.playlist import playlist_option, write_playlist
from segue.client.cli.seed_arguments import METAVAR, check_standard_input, name_seeds, seed_message
from segue.client.errors import SegueError
from segue.v1.recommendation_service_pb2 import ContinueResponse, FindPathResponse, Seed

# The options that set fields of the requests.
_OPTIONS = {
    "limit": "--length",
    "length": "--length",
    "half_life": "--half-life",
    "variety.shuffle_seed": "--shuffle",
    "variety.diversity": "--diversity",
}


@click.command()
@click.option(
    "--from",
    "starts",
    multiple=True,
    required=True,
    metavar=METAVAR,
    help="The list to continue, in the order of play, one item each time; with --to, the start of the path.",
)
@click.option("--to", "end", metavar=METAVAR, help="The end of a path.")
@click.option("--length", type=int, metavar="N", help="Number of tracks, at most 100.  [default: 25]")
@click.option(
    "--half-life",
    type=float,
    metavar="N",
    help="Without --to: number of items of the list after which an item counts half.  [default: 5]",
)
@playlist_option("--out")
@criteria_options
@options.path_format
@options.shared_options
@click.pass_obj
def playlist(
    shared: SharedOptions,
    /,
    starts: tuple[str, ...],
    end: str | None,
    out: Path | None,
    criteria: Criteria,
    path_end: str | None,
    **values: Any,  # noqa: ANN401 - each option has a type of its own
) -> None:
    """Finds the tracks to play after a list, or with --to those that lead from one sound to another.

    FILE is an audio file, or - for standard input. TRACK_ID is the id of a track of the catalogue, and external:ID is
    one by the id that a manifest gave it. genre:NAME is the mean of the catalogue's tracks of a predicted genre, and
    tag:NAME that of the tracks with a predicted tag. The tracks after a list do not include those of the list; a path
    includes its ends if they are tracks of the catalogue.
    """
    options.check_path_format(shared, path_end)
    texts = _seed_texts(starts, end, values["half_life"])
    with shared.open_client() as client:
        seeds = {field: seed_message(text) for field, text in texts.items()}
        try:
            response = _find(client, seeds, criteria, **values)
        except SegueError as error:
            raise _name_arguments(error, texts, seeds) from None
    tracks = [item.track for item in response.tracks]
    if path_end:
        print_paths(tracks, path_end.encode())
    else:
        shared.make_output().playlist(response)
    if out:
        write_playlist(out, tracks)
    explain_missing(response)


def _seed_texts(starts: tuple[str, ...], end: str | None, half_life: float | None) -> dict[str, str]:
    """Returns the seeds as they were written, by their fields in the request.

    Raises:
        click.UsageError: options do not go together.
    """
    if end is not None and (len(starts) > 1 or half_life is not None):
        raise click.UsageError("With --to, give one --from, and leave out --half-life.")
    check_standard_input([*starts, *([end] if end is not None else [])])
    if end is not None:
        return {"start": starts[0], "end": end}
    return {f"items[{number}]": text for number, text in enumerate(starts)}


def _find(
    client: Client, seeds: dict[str, Seed], criteria: Criteria, *, length: int | None, half_life: float | None
) -> ContinueResponse | FindPathResponse:
    """Finds a path if the seeds are its ends, else a continuation."""
    wanted, variety = criteria
    if "end" in seeds:
        return client.find_path(seeds["start"], seeds["end"], length=length, track_filter=wanted, variety=variety)
    return client.continue_list(seeds.values(), half_life=half_life, limit=length, track_filter=wanted, variety=variety)


def _name_arguments(error: SegueError, texts: dict[str, str], seeds: dict[str, Seed]) -> SegueError:
    """Returns an error whose message has the arguments as they were written."""
    if option := _OPTIONS.get(error.field or ""):
        error.message = error.message.replace(error.field or "", option)
    large = {seed.track_id: texts[field] for field, seed in seeds.items() if seed.track_id not in ("", texts[field])}
    missing = {track_id: text for track_id, text in large.items() if track_id in error.message}
    for track_id, text in missing.items():
        error.message = error.message.replace(track_id, text)
    if missing:
        error.message += " A file above 16 MiB is a seed only if it is in the catalogue: run segue-indexer add FILE."
    return name_seeds(error, texts)
