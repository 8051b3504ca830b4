"""The `segue recommend` command."""

from __future__ import annotations

import click

from segue.client._audio import AudioSource
from segue.client._calls import TRACK_ID
from segue.client.cli import options
from segue.client.cli.audio_argument import name_file, path_exists, read_audio
from segue.client.cli.options import SharedOptions
from segue.client.cli.output import print_paths
from segue.client.errors import AudioUnreadableError, SegueError

_FIELDS = ("recommendations", "quality_flags", "missing_seconds")


@click.command()
@click.argument("seed", metavar="FILE|TRACK_ID")
@options.limit
@options.offset
@options.path_format
@options.embedding
@options.shared_options
@click.pass_obj
def recommend(
    shared: SharedOptions, seed: str, limit: int | None, offset: int | None, path_end: str | None, embedding: bool
) -> None:
    """Finds the tracks that sound most similar to a file or a track.

    FILE is an audio file, or - for standard input. TRACK_ID is the id of a track of the catalogue; segue search finds
    it. On a terminal of less than 110 columns, the table has no track ids.
    """
    options.check_path_format(shared, path_end)
    details = options.requested_details(shared, embedding=embedding)
    with shared.open_client() as client:
        try:
            response = client.recommend(
                _parse_seed(seed), limit=limit, offset=offset, read_mask=[*_FIELDS, *details] if details else None
            )
        except SegueError as error:
            raise name_file(error, seed) from None
    if path_end:
        print_paths([item.track for item in response.recommendations], path_end.encode())
    else:
        shared.make_output(details).recommendations(response)


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
