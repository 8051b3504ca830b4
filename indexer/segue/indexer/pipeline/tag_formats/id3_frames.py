"""Walks the frames of an ID3v2 tag, and finds its way back after a broken one. Covers are skipped, not read.

Formats: https://id3.org/id3v2-00, https://id3.org/id3v2.3.0 and https://id3.org/id3v2.4.0-structure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

HEADER_BYTES = 10
"""Length of the header of a tag."""

# A real tag has a few dozen.
_MAX_FRAMES = 10_000
_MAX_TEXT_FRAMES = 500
# An encoding and an even number of bytes, for UTF-16.
_MAX_TEXT_BYTES = 2_001
_MAX_UNSYNCHRONISED_BYTES = 2**25
_MAX_RESYNC_BYTES = 2**16

_NAMES_OF_2 = {
    b"TT2": b"TIT2",
    b"TP1": b"TPE1",
    b"TP2": b"TPE2",
    b"TAL": b"TALB",
    b"TCO": b"TCON",
    b"TYE": b"TYER",
    b"TRK": b"TRCK",
    b"TPA": b"TPOS",
    b"TRC": b"TSRC",
    b"TXX": b"TXXX",
    b"UFI": b"UFID",
}
_NAMES = frozenset({*_NAMES_OF_2.values(), b"TDRC"})
# The id of a recording is the only one that is no text. Its owner comes first.
_UNIQUE_ID = b"UFID"
_MUSICBRAINZ = b"http://musicbrainz.org\0"
# What follows a tag whose size is right: audio, a container or another tag.
_AFTER_TAG = re.compile(rb"\xff[\xe0-\xff]|ID3|3DI|fLaC|OggS|RIFF|FORM|APETAGEX|wvpk|TTA1|MAC |[\0-\xff]{4}ftyp")


class TextFrame(NamedTuple):
    """A frame with text.

    Attributes:
        name: its name in version 3.
        body: the encoding in one byte, then the text, which is cut if it is too long for any title.
    """

    name: bytes
    body: bytes


class _Layout(NamedTuple):
    """The form of the frames in a version.

    Attributes:
        header: a frame's header: name, size and flags.
        wanted: a header of a text frame that is likely to be one, with its encoding.
        name_bytes: length of the name, and of the size.
    """

    header: re.Pattern[bytes]
    wanted: re.Pattern[bytes]
    name_bytes: int


_LAYOUT_OF_2 = _Layout(
    re.compile(rb"[A-Z][A-Z0-9]{2}[\0-\xff]{3}"),
    re.compile(rb"(?:TT2|TP1|TP2|TAL|TCO|TYE|TRK|TPA|TRC|TXX)\0[\0-\xff]{2}[\0-\3]"),
    3,
)
_LAYOUT = _Layout(
    re.compile(rb"[A-Z][A-Z0-9]{3}[\0-\xff]{6}"),
    re.compile(rb"(?:TIT2|TPE1|TPE2|TALB|TCON|TYER|TDRC|TRCK|TPOS|TSRC|TXXX)\0\0[\0-\xff]{4}[\0-\3]"),
    4,
)


class _Tag(NamedTuple):
    """The frames of a tag.

    Attributes:
        version: 2, 3 or 4.
        flags: flags of its header.
        data: the bytes from the first frame on.
        stop: the end of the tag in them, or of the file if the size of the tag is wrong.
    """

    version: int
    flags: int
    data: memoryview
    stop: int

    @property
    def layout(self) -> _Layout:
        return _LAYOUT_OF_2 if self.version == 2 else _LAYOUT


class _Frame(NamedTuple):
    name: bytes
    flags: int
    start: int
    stop: int


def text_frames(data: memoryview) -> Iterator[TextFrame]:
    """Yields the frames with text of the ID3v2 tag at the start of the bytes, of the kinds that are read.

    The id of the recording comes as the text that other kinds of tags have for it.
    """
    tag = _open_tag(data)
    return islice(_text_frames(tag), _MAX_TEXT_FRAMES) if tag else iter(())


def _text_frames(tag: _Tag) -> Iterator[TextFrame]:
    for frame in islice(_frames(tag), _MAX_FRAMES):
        name = _NAMES_OF_2.get(frame.name, frame.name)
        body = _body(tag, frame) if name in _NAMES else b""
        if name == _UNIQUE_ID:
            name, body = b"TXXX", _recording_id(body)
        if body:
            yield TextFrame(name, body)


def _recording_id(body: bytes) -> bytes:
    """Returns the body of a text frame for the id that MusicBrainz gave to a recording; nothing for other ids."""
    return b"\0MusicBrainz Track Id\0" + body.removeprefix(_MUSICBRAINZ) if body.startswith(_MUSICBRAINZ) else b""


def synchsafe(data: memoryview, position: int) -> int:
    """Returns the number in four bytes of seven bits."""
    number = 0
    for byte in data[position : position + 4]:
        number = number << 7 | byte & 0x7F
    return number


def _open_tag(data: memoryview) -> _Tag | None:
    if bytes(data[:3]) != b"ID3" or len(data) < HEADER_BYTES or not 2 <= data[3] <= 4:
        return None
    version, flags = data[3], data[5]
    content, stop = data[HEADER_BYTES:], synchsafe(data, 6)
    if stop != len(content) and not _AFTER_TAG.match(content, stop):
        stop = len(content)
    # In version 4, each frame is unsynchronised on its own.
    if flags & 0x80 and version < 4:
        content = memoryview(_synchronise(bytes(content[: min(stop, _MAX_UNSYNCHRONISED_BYTES)])))
        stop = len(content)
    tag = _Tag(version, flags, content, stop)
    return tag._replace(data=content[(start := _first_frame(tag)) :], stop=stop - start)


def _synchronise(data: bytes) -> bytes:
    """Returns the bytes without the zeros that keep players from taking them for audio."""
    return data.replace(b"\xff\0", b"\xff")


def _first_frame(tag: _Tag) -> int:
    """Returns the position after the extended header."""
    if not tag.flags & 0x40 or tag.version == 2:
        return 0
    # In version 3 its size does not count itself, in version 4 it does, and programs confuse the two.
    ends = (4 + int.from_bytes(tag.data[:4], "big"), synchsafe(tag.data, 0))
    return next((end for end in ends if tag.layout.header.match(tag.data, end)), 0)


def _frames(tag: _Tag) -> Iterator[_Frame]:
    position = 0
    while position < tag.stop and any(tag.data[position : position + tag.layout.name_bytes]):
        frame = _frame(tag, position)
        if frame:
            yield frame
        position = frame.stop if frame else _next_wanted(tag, position + 1)


def _frame(tag: _Tag, position: int) -> _Frame | None:
    """Returns the frame at a position, or None if there is none."""
    header = tag.layout.header.match(tag.data, position, tag.stop)
    if not header:
        return None
    name_bytes, start = tag.layout.name_bytes, header.end()
    flags = 0 if tag.version == 2 else tag.data[start - 1]
    stop = start + _size(tag, position + name_bytes, start)
    # The size is wrong: the frame ends before the next one that is recognized.
    if stop > tag.stop:
        stop = _next_wanted(tag, start)
    return _Frame(header[0][:name_bytes], flags, start, stop)


def _size(tag: _Tag, position: int, start: int) -> int:
    """Returns the size of the frame whose content starts at ``start``."""
    plain = int.from_bytes(tag.data[position : position + tag.layout.name_bytes], "big")
    if tag.version == 2:
        return plain
    # Sizes have eight bits a byte in version 3 and seven in version 4, and programs confuse the two.
    safe = synchsafe(tag.data, position)
    sizes = (plain, safe) if tag.version == 3 or plain & 0x80808080 else (safe, plain)
    return next((size for size in sizes if _is_frame_or_end(tag, start + size)), sizes[0])


def _is_frame_or_end(tag: _Tag, position: int) -> bool:
    name = bytes(tag.data[position : min(position + 4, tag.stop)])
    return position == tag.stop or name == bytes(4) or bool(tag.layout.header.match(tag.data, position, tag.stop))


def _next_wanted(tag: _Tag, position: int) -> int:
    """Returns the position of the next text frame that is recognized, or the end of the tag."""
    found = tag.layout.wanted.search(tag.data, position, min(tag.stop, position + _MAX_RESYNC_BYTES))
    return found.start() if found else tag.stop


def _body(tag: _Tag, frame: _Frame) -> bytes:
    """Returns the encoding and the text of a frame; nothing if it is compressed or encrypted."""
    is_new = tag.version == 4
    is_closed, is_grouped = (0x0C, 0x40) if is_new else (0xC0, 0x20)
    if frame.flags & is_closed:
        return b""
    start = frame.start + bool(frame.flags & is_grouped) + 4 * (is_new and frame.flags & 1)
    body = bytes(tag.data[start : min(frame.stop, start + _MAX_TEXT_BYTES)])
    return _synchronise(body) if is_new and (tag.flags & 0x80 or frame.flags & 2) else body
