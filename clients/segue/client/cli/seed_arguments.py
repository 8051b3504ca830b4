"""Seeds that are named on the command line: files, tracks, genres and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing

import click

from segue.client._audio import AudioSource, open_clip
from segue.client._calls import TRACK_ID, replace_surrogates
from segue.client.cli.audio_argument import path_exists, read_audio
from segue.client.cli.criteria import option_of
from segue.client.errors import AudioUnreadableError, SegueError
from segue.v1.recommendation_service_pb2 import Seed

METAVAR = "FILE|TRACK_ID|external:ID|genre:NAME|tag:NAME"
# Seeds that name a field of a message.
_NAMED = re.compile("(genre|tag):(.*)", re.DOTALL)


def check_standard_input(texts: Sequence[str]) -> None:
    """Checks that standard input is at most one of several seeds.

    Raises:
        click.UsageError: it is more of them.
    """
    if texts.count("-") > 1:
        raise click.UsageError("Standard input, -, can be only one of the seeds.")


def named_seed(text: str) -> Seed | None:
    """Returns the seed that a genre or a tag is, such as genre:jazz; a file of the same name wins."""
    match = _NAMED.fullmatch(text)
    if not match or path_exists(text):
        return None
    name = replace_surrogates(match[2])
    return Seed(genre=name) if match[1] == "genre" else Seed(tag=name)


def audio_or_track(text: str) -> AudioSource | str:
    """Returns the audio of a file or standard input, or else a track id; a file wins over an id of the same name.

    Raises:
        AudioUnreadableError: the text is neither, or standard input cannot be read.
    """
    if text == "-" or path_exists(text):
        return read_audio(text)
    if TRACK_ID.fullmatch(text):
        return text
    raise AudioUnreadableError(
        f"{text} is neither an existing file nor a track id (32 lower-case hexadecimal digits), nor external:ID, "
        "genre:NAME or tag:NAME. Check the path, or find the track: segue search WORDS"
    )


def seed_message(text: str) -> Seed:
    """Returns one seed of several. A file that is too large for a message is that of a track, which is not sent.

    Raises:
        AudioUnreadableError: the text is no seed, or its file cannot be read.
        AudioTooLongError: standard input has more than 16 MiB.
    """
    if named := named_seed(text):
        return named
    source = audio_or_track(text)
    if isinstance(source, str):
        return Seed(track_id=source)
    with closing(open_clip(source)) as clip:
        track_id = clip.track_id() if clip.is_large else None
        return Seed(track_id=track_id) if track_id else Seed(audio=clip.message())


def name_seeds(error: SegueError, texts: Mapping[str, str]) -> SegueError:
    """Returns an error whose message names the seed, or the option of a filter, as it was written.

    Args:
        error: the error.
        texts: the seeds as they were written, by their fields in the request, such as "seeds[0]".
    """
    field = error.field or ""
    if field.startswith("filter."):
        error.message = error.message.replace(field, option_of(field))
    text = texts.get(field.partition(".")[0])
    if text and text not in error.message:
        error.message = f"{text}: {error.message}"
    return error
