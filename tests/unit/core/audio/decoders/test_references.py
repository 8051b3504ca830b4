"""Files that name other files and addresses: nothing but the input is opened, whatever they name."""

from __future__ import annotations

import random
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import soundfile

from segue.core.audio.decoders.ffmpeg import source_options
from segue.core.testing.synthetic_clips import render_clip
from tests.corpus.documents import Targets, avi_with_playlist, mov_with_reference

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")

_DASH = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet '
    'contentType="audio"><Representation id="0" mimeType="audio/mp4" bandwidth="1"><BaseURL>{url}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)
_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n"
_SMIL = '<?xml version="1.0"?><asx version="3.0"><entry><ref href="{url}"/></entry></asx>'
_ROOT = Path(__file__).parents[5]
# File names and contents; the names are those that players know these files by.
_DOCUMENTS = {
    "list.m3u8": _HLS,
    "key.m3u8": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n',
    "master.m3u8": '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="{url}"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n',
    "data.m3u8": "#EXTM3U\n#EXTINF:4,\ndata:audio/mp4;base64,AAAA\n#EXTINF:4,\n{url}\n",
    "song.ffconcat": "ffconcat version 1.0\nfile '{url}'\n",
    "concat.mp4": "ffconcat version 1.0\nfile {url}\nduration 4\n",
    "live.mpd": _DASH,
    "disguised.m4a": "<!--ftypjp2 -->" + _DASH,
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\na=control:{url}\nm=audio 9 RTP/AVP 0\n",
    "rtsp.mov": "RTSPtext\nrtsptext\n{url}\n",
    "list.asx": _SMIL,
    "list.pls": "[playlist]\nFile1={url}\nNumberOfEntries=1\nVersion=2\n",
    "subtitles.srt": "1\n00:00:00,000 --> 00:00:04,000\n{url}\n",
    "subtitles.ass": "[Script Info]\nAudio URI: {url}\n[Events]\nDialogue: 0,0:00:00.00,0:00:04.00,,,0,0,0,,{url}\n",
    "subtitles.idx": "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n",
    "list.cue": 'FILE "{url}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "script.avs": 'DirectShowSource("{url}")\n',
    "frames-%03d.png": "{url}",
    "metadata.txt": ";FFMETADATA1\ntitle={url}\n",
}


def _matroska(targets: Targets) -> bytes:
    """Returns a Matroska file with segments before and after it in other files, and an attachment."""
    name = str(targets.song).encode()
    linked = _element("3cb923", bytes(16)) + _element("3c83ab", name) + _element("3eb923", bytes(16))
    info = _element("1549a966", _element("2ad7b1", b"\x0f\x42\x40") + linked + _element("3e83bb", name))
    attached = (
        _element("466e", name) + _element("4660", b"audio/mp4") + _element("465c", name) + _element("46ae", b"\1")
    )
    header = _element("1a45dfa3", _element("4282", b"matroska"))
    return header + _element("18538067", info + _element("1941a469", _element("61a7", attached)))


def _element(number: str, body: bytes) -> bytes:
    return bytes.fromhex(number) + (len(body) | 1 << 28).to_bytes(4, "big") + body


def _flv(targets: Targets) -> bytes:
    """Returns an FLV file with a script that names another one."""
    name = targets.urls()[3].encode()
    script = b"\2\0\x0aonMetaData\x08\0\0\0\1\0\3url\2" + struct.pack(">H", len(name)) + name + b"\0\0\x09"
    tag = b"\x12" + len(script).to_bytes(3, "big") + bytes(7) + script
    return b"FLV\1\4\0\0\0\x09\0\0\0\0" + tag + struct.pack(">I", len(tag))


def _swf(targets: Targets) -> bytes:
    """Returns an SWF file that imports another one."""
    name = targets.urls()[4].encode() + b"\0"
    tag = struct.pack("<HI", 57 << 6 | 0x3F, len(name) + 2) + name + bytes(2)
    body = b"\x08\0\0\x0c\1\0" + tag + bytes(2)
    return b"FWS\6" + struct.pack("<I", len(body) + 8) + body


def _rm(targets: Targets) -> bytes:
    """Returns a RealAudio metafile: nothing but an address."""
    return f"rtsp://127.0.0.1:{targets.port}/song.rm\n".encode()


_CONTAINERS: dict[str, Callable[[Targets], bytes]] = {
    "linked.mkv": _matroska,
    "script.flv": _flv,
    "import.swf": _swf,
    "address.ram": _rm,
    "reference.mov": lambda targets: mov_with_reference(targets, random.Random(0)),
    "subtitles.avi": lambda targets: avi_with_playlist(targets, random.Random(1)),
}


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """A port that waits for a connection."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song on the disk of this machine, which no upload may read."""
    folder = tmp_path / "private"
    folder.mkdir()
    soundfile.write(folder / "song.wav", render_clip(0, 4.0), 22_050)
    return folder / "song.wav"


def _contents(name: str, targets: Targets) -> list[bytes]:
    """Returns the file in each way of naming the targets."""
    if name in _CONTAINERS:
        return [_CONTAINERS[name](targets)]
    urls = [str(targets.song), f"http://127.0.0.1:{targets.port}/song.m4a"]
    return [_DOCUMENTS[name].format(url=url).encode() for url in urls]


_ANALYZE = """
import os
import sys
from pathlib import Path
from segue.core.errors import AudioError
from tests.helpers.audio import decode
from segue.core.audio.decoders.clip_file import open_clip_file
from segue.core.audio.decoders.ffmpeg import decode_by_ffmpeg
from segue.core.audio.samples import DecoderFailed
os.chdir(sys.argv[1])
for name in sys.argv[2:]:
    try:
        print("decoded", len(decode(Path(name).read_bytes())))
    except AudioError as error:
        print(error.reason, error)
    try:
        with open_clip_file(Path(name)) as clip, decode_by_ffmpeg(clip) as stream:
            print(sum(map(len, stream.blocks)))
    except DecoderFailed as error:
        print("DecoderFailed", error)
"""


def _analyze(folder: Path, names: list[str]) -> tuple[list[str], str]:
    """Analyzes files of a folder in another process.

    Returns:
        Two answers for each file, and the calls by which files and sockets were opened.
    """
    log = folder.with_suffix(".log")
    traced = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-s",
        "4096",
        "-e",
        "trace=open,openat,openat2,connect,sendto",
        "-o",
        str(log),
    ]
    program = [sys.executable, "-c", _ANALYZE, str(folder), *names]
    command = [*(traced if shutil.which("strace") else []), *program]
    finished = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return finished.stdout.splitlines(), log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _write_all(folder: Path, targets: Targets) -> list[str]:
    folder.mkdir()
    names = []
    for name in (*_DOCUMENTS, *_CONTAINERS):
        for number, content in enumerate(_contents(name, targets)):
            names.append(f"{number}-{name}")
            (folder / names[-1]).write_bytes(content)
    return names


def test_nothing_that_a_file_names_is_opened(tmp_path: Path, song: Path, port: socket.socket) -> None:
    """No file is opened and no connection made, and the answers do not show whether the named file exists."""
    uploads = tmp_path / "uploads"
    names = _write_all(uploads, Targets(song, port.getsockname()[1]))
    answers, calls = _analyze(uploads, names)
    assert [] == [line for line in calls.splitlines() if re.search(r"private/|AF_INET", line)]
    assert not _was_connected(port)

    song.unlink()
    assert answers == _analyze(uploads, names)[0]
    assert len(names) * 2 == len(answers)


def _was_connected(port: socket.socket) -> bool:
    with suppress(BlockingIOError):
        port.accept()[0].close()
        return True
    return False


def test_a_name_means_nothing(tmp_path: Path, song: Path) -> None:
    """A file is opened by its content only, whatever its name looks like."""
    names = ["-i.mp4", "-version", "file:..", "concat:a|b", "%03d.wav", "data:,x.wav", "http:x.wav", "pipe:0"]
    (tmp_path / "uploads").mkdir()
    for name in names:
        shutil.copy(song, tmp_path / "uploads" / name)
    assert ["decoded 88200", "88200"] * len(names) == _analyze(tmp_path / "uploads", names)[0]


def test_references_inside_containers_are_off() -> None:
    """Ffmpeg follows references of MOV and of MXF only if it is asked to, which no option of ours does."""
    options = source_options(Path("song.mov"))
    assert not {"-enable_drefs", "-use_absolute_path", "-safe"} & set(options)
    described = subprocess.run(
        [shutil.which("ffmpeg") or "", "-h", "demuxer=mov"], capture_output=True, text=True, check=True
    )
    for option in ("enable_drefs", "use_absolute_path"):
        assert re.search(rf"-{option} .*\(default false\)", described.stdout)
