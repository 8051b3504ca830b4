"""A backup by an attacker, with the right digest: one sentence, little memory, nothing changed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.core.catalogue.identity import CatalogueState
from segue.core.catalogue.records import Track
from segue.core.catalogue.store import all_track_ids
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import WIDTH, addition, embedding, track_id
from tests.helpers.indexer import run

MIB = 2**20
BOMB_MIB = 300
Document = dict[str, Any]


def identity(**changes: object) -> Document:
    """Returns the first document of a backup."""
    return {"identity": {"uuid": "u", "model_id": "model", "fingerprint": "front end", "width": WIDTH} | changes}


def encoded(vector: object) -> str:
    """Returns an embedding as a backup has it."""
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode("ascii")


def entry(number: int = 1, **changes: object) -> Document:
    """Returns the document of a track, with other values of the document."""
    path = f"/music/{number}.flac"
    track = {"track_id": track_id(number), "title": "T", "path": path, "seconds": 30.0, "posterior": {"blues": 1.0}}
    return {"track": track, "embedding": encoded(embedding(number)), "files": [[path, 1, 1, 1]]} | changes


def track(**changes: object) -> list[Document]:
    """Returns a backup with one track that has other metadata."""
    return [identity(), entry(track=entry()["track"] | changes)]


def files(*values: object) -> list[Document]:
    """Returns a backup with one track that has these files."""
    return [identity(), entry(files=list(values))]


def vector(value: object) -> list[Document]:
    """Returns a backup with one track that has this embedding, as text."""
    return [identity(), entry(embedding=value)]


def failure(**changes: object) -> list[Document]:
    """Returns a backup with one failure that has other values."""
    values = {"path": "/bad", "size": 1, "mtime_ns": 1, "reason": "R", "detail": "Why.", "time": 1}
    return [identity(), {"failure": values | changes}]


def raw(line: bytes) -> list[bytes]:
    """Returns a backup whose second line is this one."""
    return [json.dumps(identity()).encode(), line]


NAN, INFINITY = float("nan"), float("inf")
DEEP = b"[" * 500_000
HUGE = 10**3_000
# Content, and what the sentence says.
CRAFTED: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "The first line cannot be read"),
    "no identity": ([{"tracks": 3}], "identity of the catalogue is missing"),
    "identity of another type": ([{"identity": [1, 2]}], "identity of the catalogue is missing"),
    "identity with another field": ([identity(colour="red")], "has the field 'colour'"),
    "identity without a width": ([{"identity": {"uuid": "u"}}], "A value is missing"),
    "width of a thousand million": ([identity(width=10**9), entry()], "Its field width is int"),
    "huge width": ([identity(width=HUGE), entry()], "Its field width is int"),
    "width of zero": ([identity(width=0)], "Its field width is int"),
    "width of text": ([identity(width="16")], "Its field width is '16'"),
    "width of true": ([identity(width=True)], "Its field width is True"),
    "control characters in the model": ([identity(model_id="a\nb\x1b[2J")], "Its field model_id is"),
    "model of another type": ([identity(model_id=["x"])], "Its field model_id is list"),
    "first line that is deep": ([DEEP], "The first line cannot be read"),
    "deep line": (raw(DEEP), "A line cannot be read"),
    "deep object": (raw(b'{"a":' * 300_000), "A line cannot be read"),
    "line that is not JSON": (raw(b"\xff\xfe"), "A line cannot be read"),
    "line of another type": (raw(b"[1]"), "A line is no JSON object"),
    "line that is text": (raw(b'"failure"'), "A line is no JSON object"),
    "number of too many digits": (raw(b'{"track": ' + b"9" * 10_000 + b"}"), "A line cannot be read"),
    "no track": ([identity(), {}], "A track is missing"),
    "track of another type": ([identity(), entry(track=[1])], "A track is missing"),
    "track with another field": (track(colour="red"), "has the field 'colour'"),
    "track without a title": ([identity(), entry(track={"track_id": track_id(1)})], "A value is missing"),
    "id of a number": (track(track_id=1), "Its field track id is int"),
    "id with control characters": (track(track_id="\x1b[2J" + 28 * "0"), "Its field track id is '\\x1b"),
    "id that is a pattern": (track(track_id="../../../../etc/passwd"), "Its field track id is '../"),
    "id of capital letters": (track(track_id="A" * 32), "Its field track id is"),
    "seconds of text": (track(seconds="x"), "Its field seconds is 'x'"),
    "negative seconds": (track(seconds=-1.0), "Its field seconds is -1.0"),
    "seconds of NaN": (track(seconds=NAN), "Its field seconds is nan"),
    "infinite seconds": (track(seconds=INFINITY), "Its field seconds is inf"),
    "huge seconds": (track(seconds=HUGE), "Its field seconds is int"),
    "title of a number": (track(title=7), "Its field title is int"),
    "title of half a character": (track(title="\ud800"), "Its field title is '\\ud800'"),
    "path of nothing": (track(path=None), "Its field path is NoneType"),
    "path with a zero": (track(path="/a\0b"), "Its field path is '/a\\x00b'"),
    "year of letters": (track(year="then"), "Its field year is 'then'"),
    "posterior of a list": (track(posterior=[1]), "Its field posterior is tuple"),
    "posterior of text": (track(posterior={"blues": "1"}), "Its field posterior is '1'"),
    "posterior above one": (track(posterior={"blues": 1.5}), "Its field posterior is 1.5"),
    "artists of text": (track(artists="A"), "Its field artists is 'A'"),
    "artists of numbers": (track(artists=[1]), "Its field artists is int"),
    "track number of text": (track(track_number="3"), "Its field track_number is '3'"),
    "huge track number": (track(track_number=HUGE), "Its field track_number is int"),
    "negative disc number": (track(disc_number=-1), "Its field disc_number is int"),
    "embedding of a number": (vector(1), "A value is missing, or has the wrong type"),
    "embedding that is not base64": (vector("?!"), "Its embedding cannot be read"),
    "embedding of other letters": (vector("\u2603"), "Its embedding cannot be read"),
    "embedding of another width": (vector(encoded(embedding(1, 8))), "Its embedding has 32 bytes, not 64"),
    "embedding of 63 bytes": (vector(base64.b64encode(bytes(63)).decode()), "Its embedding has 63 bytes"),
    "embedding of NaN": (vector(encoded([NAN] * WIDTH)), "does not have the length 1"),
    "embedding of zeros": (vector(encoded([0.0] * WIDTH)), "does not have the length 1"),
    "infinite embedding": (vector(encoded([INFINITY] * WIDTH)), "does not have the length 1"),
    "no files": (files(), "It has no list of files"),
    "files of another type": ([identity(), entry(files={"a": 1})], "It has no list of files"),
    "file of text": (files("/a"), "One of its files has no path"),
    "file with too few values": (files(["/a", 1]), "One of its files has no path"),
    "file with too many values": (files(["/a", 1, 1, 1, {}, 1]), "One of its files has no path"),
    "file of metadata of a number": (files(["/a", 1, 1, 1, 1]), "The metadata are no JSON object"),
    "file of unknown metadata": (files(["/a", 1, 1, 1, {"mood": "calm"}]), "The field 'mood' is unknown"),
    "file of a negative size": (files(["/a", -5, 1, 1]), "Its field size is int"),
    "file of a huge size": (files(["/a", HUGE, 1, 1]), "Its field size is int"),
    "file of a size of text": (files(["/a", "1", 1, 1]), "Its field size is '1'"),
    "file without a path": (files(["", 1, 1, 1]), "Its field path is ''"),
    "file with a path of a number": (files([1, 1, 1, 1]), "Its field path is int"),
    "file of half a character": (files(["/\ud800", 1, 1, 1]), "Its field path is '/\\ud800'"),
    "file of a huge time": (files(["/a", 1, 2**63, 1]), "Its field mtime is int"),
    "file twice": (files(["/a", 1, 1, 1], ["/a", 1, 1, 1]), "one of its files twice"),
    "track twice": ([identity(), entry(1), entry(1)], "It comes twice"),
    "tracks in disorder": ([identity(), entry(2), entry(1)], "It comes twice, or not in the order"),
    "file of two tracks": (
        [identity(), entry(1), entry(2, files=[["/music/1.flac", 1, 1, 1]])],
        "one of its files belongs to two tracks",
    ),
    "failure of another type": ([identity(), {"failure": [1]}], "A failure is missing"),
    "failure of text": (failure(time="x"), "Its field time is 'x'"),
    "failure of no calendar": (failure(time=10**15), "Its field time is int"),
    "failure with an odd reason": (failure(reason="a b\n"), "Its field reason is"),
    "failure of a negative size": (failure(size=-9), "Its field size is int"),
    "failure without a path": (failure(path=""), "Its field path is ''"),
    "failure with another field": (failure(colour="red"), "has the field 'colour'"),
}


def write_backup(path: Path, packed: bytes) -> Path:
    """Writes a backup with the right digest."""
    path.write_bytes(f"segue-backup 1 {hashlib.sha256(packed).hexdigest()}\n".encode("ascii") + packed)
    return path


def pack(lines: list[Any]) -> bytes:
    """Returns the packed lines, which are documents or bytes."""
    return gzip.compress(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - a generator of a store
    """The folder of a catalogue of three tracks, and the catalogue."""
    folder = tmp_path_factory.mktemp("live")
    with open_store(folder) as store:
        with store.writer("model", "front end", WIDTH) as writer:
            writer.add([addition(number) for number in range(1, 4)])
        yield folder, store


def content(store: RedisStore) -> tuple[CatalogueState, list[Track | None], list[bytes]]:
    """Returns what a reader of a catalogue sees."""
    ids = list(all_track_ids(store))
    return store.state(), store.get(ids), [vector.tobytes() for vector in store.embeddings(ids) if vector is not None]


@pytest.mark.parametrize(("lines", "said"), CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_backup(live: tuple[Path, RedisStore], tmp_path: Path, lines: list[Any], said: str) -> None:
    """It gives one sentence, and neither the catalogue nor the staging area has anything of it."""
    data, store = live
    before = content(store)
    ended = run("restore", write_backup(tmp_path / "crafted", pack(lines)), "--data", data, "--replace", "--json")

    assert isinstance(ended.exception, SystemExit), ended.exception
    assert (1, "BACKUP_UNUSABLE") == (ended.exit_code, json.loads(ended.stdout)["error"]["reason"])
    (line,) = ended.stderr.splitlines()
    assert said in line
    assert line.endswith("the catalogue is unchanged.")
    assert before == content(store)
    with store.staging() as staging:
        assert (None, 0) == (staging.identity(), staging.count())


@pytest.mark.parametrize("twice", [True, False])
def test_a_dry_run_finds_a_file_of_two_tracks(live: tuple[Path, RedisStore], tmp_path: Path, twice: bool) -> None:
    """Restoring would be refused, even if both tracks have other files."""
    files = [["/music/1.flac", 1, 1, 1], ["/music/2.flac", 1, 1, 1]]
    lines = [identity(), entry(1), entry(2, files=files if twice else files[1:])]
    arguments = ("restore", write_backup(tmp_path / "crafted", pack(lines)), "--data", live[0], "--replace")
    ended = run(*arguments, "--dry-run")
    assert twice == ("one of its files belongs to two tracks" in ended.stderr)
    assert int(twice) == ended.exit_code
    if twice:
        assert ended.stderr == run(*arguments).stderr


def bomb() -> bytes:
    """Returns a gzip of one line that unpacks to ``BOMB_MIB``."""
    return gzip.compress(b'{"identity": "' + b"x" * (BOMB_MIB * MIB), 1)


def broken_gzip() -> bytes:
    """Returns a gzip that ends in the middle."""
    return pack([identity(), *map(entry, range(1, 50))])[:-200]


def odd_gzip() -> bytes:
    """Returns a gzip that is followed by other bytes."""
    return pack([identity(), entry()]) + b"more"


def many_long_lines() -> bytes:
    """Returns tracks that are each as long as a line may be."""
    return pack(
        [
            identity(),
            *(entry(number, track=entry(number)["track"] | {"title": "x" * 4_000_000}) for number in range(1, 75)),
        ]
    )


def arrays() -> bytes:
    """Returns a line of the greatest length that becomes as many objects as possible."""
    return pack(raw(b"[" + b"[]," * (4 * MIB // 3 - 4) + b"[]]"))


def wide() -> bytes:
    """Returns a catalogue of the greatest width with an embedding of another."""
    return pack([identity(width=10**9), *map(entry, range(1, 50))])


READER = """
import resource, sys
from pathlib import Path
from segue.core.errors import BackupUnusable
from segue.indexer.catalogue.backup_file import read_backup
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with read_backup(Path(sys.argv[1])) as (identity, entries):
        for _ in entries:
            pass
except BackupUnusable as error:
    print(error, file=sys.stderr)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // 1024 if sys.platform == "linux" else grown // 2**20)
"""


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (bomb, "A line is longer than 4,194,304 bytes."),
        (broken_gzip, "It cannot be unpacked"),
        (odd_gzip, "It cannot be unpacked"),
        (many_long_lines, ""),
        (arrays, "A line is no JSON object"),
        (wide, "Its field width is int"),
    ],
)
def test_memory_stays_bounded(tmp_path: Path, packed: Callable[[], bytes], said: str) -> None:
    """Whatever a backup unpacks to, reading it takes the memory of a page."""
    path = write_backup(tmp_path / "crafted", packed())
    ended = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True)
    assert said in ended.stderr
    assert 200 > int(ended.stdout)
