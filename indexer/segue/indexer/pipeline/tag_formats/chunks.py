"""Reads the tags of WAV and AIFF files: their chunks of text, and their ID3 tags."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from segue.core.audio.containers import Part, iff_chunks, riff_chunks
from segue.indexer.pipeline.tag_formats.fields import TagFields, add_value, decode_text
from segue.indexer.pipeline.tag_formats.id3 import read_id3v2_tag

_INFO_KEYS = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"IGNR": "genre",
    b"ICRD": "date",
    b"ITRK": "track",
    b"IPRT": "track",
    b"ISRC": "isrc",
}
_AIFF_KEYS = {b"NAME": "title", b"AUTH": "artist"}
_MAX_TEXT_BYTES = 2_000
_MAX_TEXTS = 1_000


def read_chunks(data: memoryview) -> TagFields:
    """Returns the fields of a WAV or AIFF file.

    ID3 has the last word: programs that know both write question marks to the older chunks for letters that those lack.

    Args:
        data: the whole file; other files have no such fields.
    """
    magic, form = bytes(data[:4]), bytes(data[8:12])
    if (magic, form) == (b"RIFF", b"WAVE"):
        chunks = list(riff_chunks(data))
        lists = (data[chunk.start : chunk.stop] for chunk in chunks if chunk.name == b"LIST")
        texts = (part for content in lists for part in _info_texts(content))
        return _texts(texts, _INFO_KEYS) | _id3(data, chunks)
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        chunks = list(iff_chunks(data))
        texts = ((chunk.name, _text(data, chunk.start, chunk.stop)) for chunk in chunks)
        return _texts(texts, _AIFF_KEYS) | _id3(data, chunks)
    return {}


def _id3(data: memoryview, chunks: Iterable[Part]) -> TagFields:
    """Returns the fields of the first ID3 tag in the chunks."""
    tags = (chunk for chunk in chunks if chunk.name.upper() == b"ID3 ")
    return next((read_id3v2_tag(data[tag.start : tag.stop]) for tag in tags), {})


def _texts(texts: Iterable[tuple[bytes, bytes]], keys: dict[bytes, str]) -> TagFields:
    fields: TagFields = {}
    for name, text in texts:
        if name in keys:
            add_value(fields, keys[name], decode_text(text))
    return fields


def _info_texts(content: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Yields the names and texts of a list of type INFO."""
    position = 4 if bytes(content[:4]) == b"INFO" else len(content)
    for _ in range(_MAX_TEXTS):
        if position + 8 > len(content):
            return
        name, size = struct.unpack_from("<4sI", content, position)
        start = position + 8
        position = start + size
        yield name, _text(content, start, position)
        # Texts begin at even positions, but not every program pads them.
        if size % 2 and bytes(content[position : position + 1]) == b"\0":
            position += 1


def _text(data: memoryview, start: int, stop: int) -> bytes:
    return bytes(data[start : min(stop, start + _MAX_TEXT_BYTES)])
