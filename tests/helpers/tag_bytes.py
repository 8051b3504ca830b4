"""Tags as bytes, whole or broken, for tests."""

from __future__ import annotations

import struct


def synchsafe(number: int) -> bytes:
    """Returns a number in four bytes of seven bits."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(name: bytes, body: bytes, size: int | None = None, version: int = 3, flags: int = 0) -> bytes:
    """Returns a frame of an ID3v2 tag.

    Args:
        name: three letters in version 2, else four.
        body: its content.
        size: the size in its header; by default the true one.
        version: 2, 3 or 4.
        flags: flags of its header, from version 3 on.
    """
    size = len(body) if size is None else size
    if version == 2:
        return name + size.to_bytes(3, "big") + body
    return name + (synchsafe(size) if version == 4 else size.to_bytes(4, "big")) + struct.pack(">H", flags) + body


def id3(*frames: bytes, version: int = 3, flags: int = 0, size: int | None = None) -> bytes:
    """Returns an ID3v2 tag of these frames.

    Args:
        frames: the frames, or anything else that the tag shall contain.
        version: 2, 3 or 4.
        flags: flags of its header.
        size: the size in its header; by default the true one.
    """
    body = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body) if size is None else size) + body


def id3v1(title: bytes, artist: bytes) -> bytes:
    """Returns an ID3v1 tag."""
    return b"TAG" + title.ljust(30, b"\0") + artist.ljust(30, b"\0") + bytes(64) + b"\xff"


def utf16(text: str) -> bytes:
    """Returns the body of a text frame in UTF-16 with a byte order mark."""
    return b"\1\xff\xfe" + text.encode("utf-16-le")


def apev2(items: dict[str, str], has_header: bool = True) -> bytes:
    """Returns an APEv2 tag."""
    encoded = {key.encode(): value.encode() for key, value in items.items()}
    body = b"".join(struct.pack("<II", len(value), 0) + key + b"\0" + value for key, value in encoded.items())
    header = _ape_marker(body, len(items), 0xA0000000) if has_header else b""
    return header + body + _ape_marker(body, len(items), 0x80000000 if has_header else 0)


def _ape_marker(body: bytes, items: int, flags: int) -> bytes:
    return b"APETAGEX" + struct.pack("<4I", 2_000, len(body) + 32, items, flags) + bytes(8)


def chunk(name: bytes, body: bytes, order: str = "<") -> bytes:
    """Returns a chunk of a RIFF file, or with order ">" of an IFF file."""
    return name + struct.pack(f"{order}I", len(body)) + body + bytes(len(body) % 2)


def info(**texts: bytes) -> bytes:
    """Returns a LIST chunk of texts such as INAM."""
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text) for name, text in texts.items()))


def container(magic: bytes, form: bytes, *chunks: bytes) -> bytes:
    """Returns a RIFF or IFF file of these chunks."""
    return chunk(magic, form + b"".join(chunks), "<" if magic == b"RIFF" else ">")
