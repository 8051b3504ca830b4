"""The `segue recommend` command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from segue.client._audio import AudioSource, audio_message
from segue.client._calls import TRACK_ID, AnySeed, replace_surrogates
from segue.client.cli import options
from segue.client.cli.audio_argument import name_file, path_exists, read_audio
from segue.client.cli.criteria import Criteria, criteria_options, option_of
from segue.client.cli.options import SharedOptions
from segue.client.cli.output import print_paths
from segue.client.cli.playlist import check_playlist, write_playlist
from segue.client.errors import AudioUnreadableError, SegueError
from segue.v1.recommendation_service_pb2 import RecommendResponse, Seed

_FIELDS = ("recommendations", "quality_flags", "missing_seconds")
# Seeds that name a field of a message.
_NAMED = re.compile("(genre|tag):(.*)", re.DOTALL)
_LESS_WEIGHT = -0.5
# The beginning of a field that belongs to one of several seeds.
_NUMBER = re.compile(r"seeds\[(\d+)\]")


@click.command()
@click.argument("seeds", nargs=-1, required=True, metavar="FILE|TRACK_ID|external:ID|genre:NAME|tag:NAME...")
@click.option("--less", multiple=True, metavar="SEED", help="Fewer tracks like this seed; can be given several times.")
@options.limit
@options.offset
@criteria_options
@click.option(
    "--m3u",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_playlist,
    metavar="FILE",
    help="Also write a playlist, whose name ends in .m3u or .m3u8.",
)
@click.option("--why", is_flag=True, help="Also print the seed that led to each track, and what both have in common.")
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
    m3u: Path | None,
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
    details = options.requested_details(shared, embedding=values.pop("embedding"), reasons=values.pop("why"))
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
    if m3u:
        write_playlist(m3u, tracks)
    _explain(response)


def _explain(response: RecommendResponse) -> None:
    """Prints why there are fewer tracks than requested, as far as the response says so."""
    if response.emptied_by:
        click.echo(f"segue: No track is left after {option_of(response.emptied_by)}.", err=True)
    if response.limited:
        message = "Other tracks are left out: see --per-artist, --per-album and --keep-copies."
        click.echo(f"segue: {message}", err=True)


def _parse_seeds(seeds: tuple[str, ...], less: tuple[str, ...]) -> AnySeed:
    """Returns the one seed, or several with their weights.

    Raises:
        AudioUnreadableError: a seed is neither a file nor a track id nor a genre nor a tag, or a file cannot be read.
    """
    if [*seeds, *less].count("-") > 1:
        raise click.UsageError("Standard input, -, can be only one of the seeds.")
    if len(seeds) == 1 and not less and not _named(seeds[0]):
        return _parse_seed(seeds[0])
    return [*(_weighted(text, 1.0) for text in seeds), *(_weighted(text, _LESS_WEIGHT) for text in less)]


def _name_seed(error: SegueError, seed: AnySeed, texts: list[str]) -> SegueError:
    """Returns an error whose message names the seed, or the option of a filter, as it was written."""
    if error.field and error.field.startswith("filter."):
        error.message = error.message.replace(error.field, option_of(error.field))
    if not isinstance(seed, list):
        return name_file(error, texts[0])
    number = _NUMBER.match(error.field or "")
    if number and (text := texts[int(number[1])]) not in error.message:
        error.message = f"{text}: {error.message}"
    return error


def _weighted(text: str, weight: float) -> Seed:
    if named := _named(text):
        named.weight = weight
        return named
    seed = _parse_seed(text)
    if isinstance(seed, str):
        return Seed(track_id=seed, weight=weight)
    return Seed(audio=audio_message(seed), weight=weight)


def _named(text: str) -> Seed | None:
    """Returns the seed that a genre or a tag is, such as genre:jazz; a file of the same name wins."""
    match = _NAMED.fullmatch(text)
    if not match or path_exists(text):
        return None
    name = replace_surrogates(match[2])
    return Seed(genre=name) if match[1] == "genre" else Seed(tag=name)


def _parse_seed(text: str) -> AudioSource | str:
    """Returns the audio of a file or standard input, or else a track id; a file wins over an id of the same name.

    Raises:
        AudioUnreadableError: the text is neither, or standard input cannot be read.
    """
    if text == "-" or path_exists(text):
        return read_audio(text)
    if TRACK_ID.fullmatch(text):
        return text
    raise AudioUnreadableError(
        f"{text} is neither an existing file nor a track id (32 lower-case hexadecimal digits). Check the path, or "
        "find the track: segue search WORDS"
    )
