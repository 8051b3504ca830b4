"""Files that name other files and addresses, which no decoder may open."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Targets:
    """The song and the port that documents name.

    Attributes:
        song: a song on the disk.
        port: a port on this machine.
    """

    song: Path
    port: int

    def urls(self) -> list[str]:
        """Returns the ways to name the song and the port."""
        web, path = f"127.0.0.1:{self.port}/song.m4a", str(self.song)
        protocols = ("http", "https", "ftp", "tcp", "udp", "rtp", "rtmp", "rtsp", "tls", "gopher", "icecast", "srt")
        named = [f"{protocol}://{web}" for protocol in protocols]
        wrapped = (f"subfile,,start,0,end,0,,:{path}", f"concat:{path}|{path}", f"crypto:{path}", f"cache:{path}")
        return [path, f"file:{path}", f"file://{path}", f"async:{path}", *named, *wrapped, "data:audio/mp4;base64,AAAA"]


_TEMPLATES = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n",
    '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n',
    '#EXTM3U\n#EXT-X-MAP:URI="{url}"\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n',
    '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{url}"\n',
    "ffconcat version 1.0\nfile '{url}'\n",
    "ffconcat version 1.0\nfile {url}\nduration 4\nfile {url}\n",
    "[playlist]\nFile1={url}\nLength1=4\nNumberOfEntries=1\nVersion=2\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{url}\nm=audio 9 RTP/AVP 0\n",
    '<?xml version="1.0"?><asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track><location>{url}</location></track>'
    "</trackList></playlist>",
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{url}">]><MPD>&b;</MPD>',
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet '
    'contentType="audio"><Representation id="0" mimeType="audio/mp4" bandwidth="1"><BaseURL>{url}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Type="audio" Url="{url}"/></SmoothStreamingMedia>',
    ";FFMETADATA1\ntitle={url}\n",
    "RTSPtext\nrtsptext\n{url}\n",
    'FILE "{url}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "[Script]\nfilename={url}\n",
)
# A document behind these is a container to a decoder that looks at the first bytes only.
_DISGUISES = (
    b"",
    b"\xef\xbb\xbf",
    b"<!--ftypjp2 -->",
    b"\xff\xf1\x50\x80",
    b"\x30\x26\xb2\x75",
    b"\x1a\x45\xdf\xa3",
    b"ID3\3\0\0\0\0\0\x0a" + bytes(10),
    b"FLV\1\4\0\0\0\x09\0\0\0\0",
    b"\x47" + bytes(187),
    b"OggS\0\2",
    b"fLaC",
    b".RMF\0\0\0\x12",
)


def document(targets: Targets, rng: random.Random) -> bytes:
    """Returns a playlist, a script or a manifest that names a target, often behind the first bytes of a container."""
    text = rng.choice(_TEMPLATES).format(url=rng.choice(targets.urls()))
    return rng.choice(_DISGUISES) + text.encode()


def avi_with_playlist(targets: Targets, rng: random.Random) -> bytes:
    """Returns an AVI file whose subtitles, which are a file of their own, are a document."""
    text = document(targets, rng)
    subtitles = b"GAB2\0\2\0\0\0\0\0\4\0" + struct.pack("<I", len(text)) + text
    header = struct.pack("<14I", 40_000, 0, 0, 0x10, 1, 0, 1, 0, 64, 64, 0, 0, 0, 0)
    stream = b"txts" + struct.pack("<I", 0) + struct.pack("<12I", 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0)
    streams = _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", bytes(40)))
    body = _list(b"hdrl", _chunk(b"avih", header) + streams) + _list(b"movi", _chunk(b"00tx", subtitles))
    return _chunk(b"RIFF", b"AVI " + body)


def mov_with_reference(targets: Targets, rng: random.Random) -> bytes:
    """Returns a MOV file whose samples lie in another file."""
    name = rng.choice(targets.urls()).encode()
    alias = bytes(8) + struct.pack(">H", 2) + bytes(140) + struct.pack(">HH", 2, len(name)) + name + b"\xff\xff\0\0"
    references = _box(b"dref", struct.pack(">II", 0, 1) + _box(rng.choice([b"alis", b"url "]), bytes(4) + alias))
    sample = struct.pack(">I4s6sHHHIHHHHI", 36, b"sowt", bytes(6), 1, 0, 0, 0, 1, 16, 0, 0, 22_050 << 16)
    table = (
        _box(b"stsd", struct.pack(">II", 0, 1) + sample)
        + _box(b"stts", struct.pack(">IIII", 0, 1, 88_200, 1))
        + _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 88_200, 1))
        + _box(b"stsz", struct.pack(">III", 0, 2, 88_200))
        + _box(b"stco", struct.pack(">III", 0, 1, 0))
    )
    media_header = _box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 22_050, 88_200, 0))
    handler = _box(b"hdlr", bytes(4) + b"mhlrsoun" + bytes(13))
    information = _box(b"minf", _box(b"dinf", references) + _box(b"stbl", table))
    track = _box(b"trak", _box(b"mdia", media_header + handler + information))
    return _box(b"ftyp", b"qt  " + bytes(4)) + _box(b"moov", track) + _box(b"mdat", bytes(100))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _list(name: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", name + body)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body
