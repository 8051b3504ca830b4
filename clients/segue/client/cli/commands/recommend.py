"""The `segue recommend` command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segue.client._calls import AnySeed
from segue.client.cli import options
from segue.client.cli.audio_argument import name_file
from segue.client.cli.criteria import Criteria, criteria_options, explain_missing
from segue.client.cli.options import SharedOptions
from segue.client.cli.output import print_paths
from segue.client.cli.playlist import playlist_option, write_playlist
from segue.client.cli.seed_arguments import (
    METAVAR,
    audio_or_track,
    check_standard_input,
    name_seeds,
    named_seed,
    seed_message,
)
from segue.client.errors import SegueError
from segue.v1.recommendation_service_pb2 import Seed

_FIELDS = ("recommendations", "quality_flags", "missing_seconds")
_LESS_WEIGHT = -0.5


@click.command()
@click.argument("seeds", nargs=-1, required=True, metavar=f"{METAVAR}...")
@click.option("--less", multiple=True, metavar="SEED", help="Fewer tracks like this seed; can be given several times.")
@options.limit
@options.offset
@criteria_options
@playlist_option("--out", "--m3u")
@click.option("--why", is_flag=True, help="Also print the seed that led to each track, and what matches.")
@options.path_format
@options.embedding
@options.shared_options
@click.pass_obj
def recommend(
    shared: SharedOptions,
    /,
    seeds: tuple[str, ...],
    less: tuple[str, ...],
    criteria: Criteria,
    out: Path | None,
    path_end: str | None,
    **values: Any,  # noqa: ANN401 - each option has a type of its own
) -> None:
    """Finds the tracks that sound most similar to a file or a track, or to several.

    FILE is an audio file, or - for standard input. TRACK_ID is the id of a track of the catalogue; segue search finds
    it. external:ID is a track by the id that a manifest gave it. genre:NAME is the mean of the catalogue's tracks of a
    predicted genre, such as genre:jazz, and tag:NAME that of the tracks with a predicted tag, such as tag:guitar. On a
    terminal of less than 110 columns, the table has no track ids.
    """
    options.check_path_format(shared, path_end)
    why = values.pop("why")
    details = options.requested_details(shared, embedding=values.pop("embedding"), reasons=why, moments=why)
    with shared.open_client() as client:
        seed = _parse_seeds(seeds, less)
        try:
            response = client.recommend(
                seed,
                **values,
                read_mask=[*_FIELDS, *details] if details else None,
                track_filter=criteria.track_filter,
                variety=criteria.variety,
            )
        except SegueError as error:
            raise _name_seed(error, seed, [*seeds, *less]) from None
    tracks = [item.track for item in response.recommendations]
    if path_end:
        print_paths(tracks, path_end.encode())
    else:
        shared.make_output(details).recommendations(response)
    if out:
        write_playlist(out, tracks)
    explain_missing(response)


def _parse_seeds(seeds: tuple[str, ...], less: tuple[str, ...]) -> AnySeed:
    """Returns the one seed, or several with their weights.

    Raises:
        AudioUnreadableError: a seed is neither a file nor a track id nor a genre nor a tag, or a file cannot be read.
    """
    check_standard_input([*seeds, *less])
    if len(seeds) == 1 and not less and not named_seed(seeds[0]):
        return audio_or_track(seeds[0])
    return [*(_weighted(text, 1.0) for text in seeds), *(_weighted(text, _LESS_WEIGHT) for text in less)]


def _name_seed(error: SegueError, seed: AnySeed, texts: list[str]) -> SegueError:
    """Returns an error whose message names the seed, or the option of a filter, as it was written."""
    named = name_seeds(error, {f"seeds[{number}]": text for number, text in enumerate(texts)})
    return named if isinstance(seed, list) else name_file(named, texts[0])


def _weighted(text: str, weight: float) -> Seed:
    seed = seed_message(text)
    seed.weight = weight
    return seed
