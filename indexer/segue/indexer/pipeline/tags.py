"""Reads the tags of audio files."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from segue.core.audio.containers import id3_end
from segue.indexer.pipeline.records import Tags
from segue.indexer.pipeline.tag_formats.apev2 import read_apev2
from segue.indexer.pipeline.tag_formats.chunks import read_chunks
from segue.indexer.pipeline.tag_formats.ffprobe import read_by_ffprobe
from segue.indexer.pipeline.tag_formats.fields import TagFields
from segue.indexer.pipeline.tag_formats.id3 import read_id3v1, read_id3v2
from segue.indexer.pipeline.tag_formats.library import read_by_libsndfile, read_by_tinytag
from segue.indexer.pipeline.tag_values import clean, to_tags

# MP3, AAC, WavPack, Monkey's Audio, TTA and DSF have tags around the audio only; WAV, AIFF and AU are read completely.
_HAS_NO_OTHER_TAGS = re.compile(rb"\xff[\xe0-\xff]|ID3|wvpk|MAC |TTA1|DSD |RIFF|FORM|\.snd")
_BY_TINYTAG = re.compile(rb"fLaC|OggS|[\0-\xff]{4}ftyp|\x30\x26\xb2\x75")
_BY_LIBSNDFILE = re.compile(rb"fLaC|OggS|RF64|caff")


def read_tags(path: Path) -> Tags:
    """Returns the tags of an audio file, whatever its ending; those that cannot be read are empty.

    If a file has tags of several kinds, those of its container come first, then ID3v2, APEv2 and ID3v1.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            magic, fields = _magic(data), _merge(_quick_readers(path, data))
    except (OSError, ValueError):  # the file is gone, or empty
        return Tags()
    if "title" not in fields and "artists" not in fields:
        fields |= _merge(_slow_readers(path, magic))
    return to_tags(fields)


def _magic(data: memoryview) -> bytes:
    """Returns the first bytes after the ID3v2 tags."""
    return bytes(data[id3_end(data) :][:16])


def _quick_readers(path: Path, data: memoryview) -> Iterator[Callable[[], TagFields]]:
    if _BY_TINYTAG.match(_magic(data)):
        yield lambda: read_by_tinytag(path, id3_end(data))
    for read in (read_chunks, read_id3v2, read_apev2, read_id3v1):
        yield partial(read, data)


def _slow_readers(path: Path, magic: bytes) -> Iterator[Callable[[], TagFields]]:
    if _BY_LIBSNDFILE.match(magic):
        yield lambda: read_by_libsndfile(path)
    elif not _HAS_NO_OTHER_TAGS.match(magic):
        yield lambda: read_by_ffprobe(path)


def _merge(readers: Iterable[Callable[[], TagFields]]) -> TagFields:
    """Returns the fields that any of the readers returns; the first one with a field wins."""
    fields: TagFields = {}
    for read in readers:
        # Any program may have written the tags, and bad ones must cost neither the track nor its other tags.
        with suppress(Exception):
            fields = clean(read()) | fields
    return fields
