"""The `segue recommend` command."""

from __future__ import annotations

import re
from pathlib import Path

import click

from segue.client._audio import AudioSource
from segue.client.cli import options
from segue.client.cli.audio_argument import read_audio
from segue.client.cli.options import SharedOptions
from segue.client.errors import AudioUnreadableError

_TRACK_ID = re.compile(r"[0-9a-f]{32}")


@click.command()
@click.argument("seed", metavar="FILE|TRACK_ID")
@options.limit
@options.shared_options
@click.pass_obj
def recommend(shared: SharedOptions, seed: str, limit: int | None) -> None:
    """Finds the tracks that sound most similar to a file or a track.

    FILE is an audio file, or - for standard input. TRACK_ID is the id of a track of the catalogue.
    """
    read_mask = ["*"] if shared.json else None
    with shared.open_client() as client:
        shared.make_output().recommendations(client.recommend(_parse_seed(seed), limit=limit, read_mask=read_mask))


def _parse_seed(text: str) -> AudioSource | str:
    """Returns the audio of a file or standard input, or else a track id; a file wins over an id of the same name.

    Raises:
        AudioUnreadableError: the text is neither, or standard input cannot be read.
    """
    if text == "-" or _exists(Path(text)):
        return read_audio(text)
    if _TRACK_ID.fullmatch(text):
        return text
    raise AudioUnreadableError(f"{text} is neither an existing file nor a track id (32 lower-case hexadecimal digits).")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the text is too long for a file name
        return False
