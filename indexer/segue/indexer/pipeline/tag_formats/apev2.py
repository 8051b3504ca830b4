"""Reads APEv2 tags, which WavPack, Monkey's Audio and Musepack use, and some MP3 files.

Format: https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from segue.core.audio.containers import trailing_tags
from segue.indexer.pipeline.tag_formats.fields import TagFields, add_value, decode_text

# Version, size of items and footer, number of items, flags.
_MARKER = struct.Struct("<8s4I8x")
_MAGIC = b"APETAGEX"
_HAS_HEADER = 0x80000000
# Bits of an item's flags; 0 is text.
_KIND = 0b110
_MAX_ITEMS = 1_000
_MAX_KEY_BYTES = 256
_MAX_TEXT_BYTES = 2_000


def read_apev2(data: memoryview) -> TagFields:
    """Returns the fields of the APEv2 tag of a file, at its end or its start.

    Args:
        data: the whole file.
    """
    fields: TagFields = {}
    for key, value in _items(_content(data)):
        for text in value.split(b"\0"):
            add_value(fields, key, decode_text(text))
    return fields


def _content(data: memoryview) -> memoryview:
    """Returns the items of the tag, without its header and footer."""
    for tag in trailing_tags(data):
        if tag.name == _MAGIC:
            content = data[tag.start : tag.stop - _MARKER.size]
            return content[_MARKER.size :] if bytes(content[:8]) == _MAGIC else content
    if bytes(data[:8]) == _MAGIC and len(data) >= _MARKER.size:
        _, _, size, _, _ = _MARKER.unpack_from(data)
        return data[_MARKER.size : size]
    return data[:0]


def _items(content: memoryview) -> Iterator[tuple[str, bytes]]:
    """Yields the keys and values of the items of text; binary ones, such as covers, are skipped."""
    position = 0
    for _ in range(_MAX_ITEMS):
        head = bytes(content[position : position + 8 + _MAX_KEY_BYTES])
        key, end, _ = head[8:].partition(b"\0")
        if not end:
            return
        size, flags = struct.unpack_from("<II", head)
        start = position + 8 + len(key) + 1
        if not flags & _KIND:
            yield decode_text(key), bytes(content[start : start + min(size, _MAX_TEXT_BYTES)])
        position = start + size
