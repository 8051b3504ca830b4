"""Classification of several files."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from segue.client._audio import MAX_AUDIO_BYTES
from segue.client._client import Client
from segue.client._endpoint import MAX_TIMEOUT
from segue.client.cli.audio_argument import name_file, read_audio
from segue.client.errors import QuotaExceededError, SegueError, TryAgainError
from segue.v1.classification_service_pb2 import ClassifyResponse

Outcome: TypeAlias = ClassifyResponse | SegueError
"""The genres of a file, or its error."""


def classify_files(
    client: Client, files: Sequence[str], top_k: int | None, read_mask: Sequence[str] | None, timeout: float
) -> Iterator[tuple[str, Outcome]]:
    """Yields each file with its genres or its error, in the order of the files.

    Consecutive files that fit into a message share a stream, which the server processes several at a time. Every other
    file has a call of its own.

    Args:
        client: sends the files.
        files: the files; "-" is standard input.
        top_k: number of genres to return, or None for the server's default.
        read_mask: fields of the response to return, or None for the server's default.
        timeout: time limit for one file in seconds.
    """
    for fits, run in groupby(files, key=_fits_into_a_message):
        group = list(run)
        if fits and len(group) > 1:
            yield from _classify_by_stream(client, group, top_k, read_mask, timeout)
        else:
            for file in group:
                yield file, _classify_file(client, file, top_k, read_mask)


def _fits_into_a_message(file: str) -> bool:
    """Returns whether a file can be sent in one message; not a pipe, which may be larger than it seems."""
    with suppress(OSError, ValueError):
        found = Path(file).stat()
        return file != "-" and stat.S_ISREG(found.st_mode) and found.st_size <= MAX_AUDIO_BYTES
    return False


def _classify_by_stream(
    client: Client, files: Sequence[str], top_k: int | None, read_mask: Sequence[str] | None, timeout: float
) -> Iterator[tuple[str, Outcome]]:
    """Yields files in order; those that the stream did not answer, or refused for now, are sent again at its end.

    Not before, since the server ends a stream that is not read.
    """
    outcomes: dict[int, Outcome] = {}
    done = 0
    seconds = min(timeout * len(files), MAX_TIMEOUT)
    with suppress(SegueError):  # each file that is sent again has its own error
        for number, outcome in client.batch_classify(
            map(Path, files), top_k=top_k, read_mask=read_mask, stream_timeout=seconds
        ):
            if isinstance(outcome, QuotaExceededError):
                break  # it would refuse most of the rest; a call for each waits as long as the quota asks for
            if not isinstance(outcome, TryAgainError):
                outcomes[number] = outcome
            while done in outcomes:
                yield _named(files[done], outcomes.pop(done))
                done += 1
    for number in range(done, len(files)):
        file = files[number]
        known = outcomes.get(number)
        yield (file, _classify_file(client, file, top_k, read_mask)) if known is None else _named(file, known)


def _named(file: str, outcome: Outcome) -> tuple[str, Outcome]:
    return file, name_file(outcome, file) if isinstance(outcome, SegueError) else outcome


def _classify_file(client: Client, file: str, top_k: int | None, read_mask: Sequence[str] | None) -> Outcome:
    try:
        return client.classify(read_audio(file), top_k=top_k, read_mask=read_mask)
    except SegueError as error:
        return name_file(error, file)
