"""Manifests: which lines describe a file, and what is wrong with the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.catalogue.records import OwnMetadata
from segue.indexer.errors import ManifestUnusable
from segue.indexer.pipeline.manifest_lines import MAX_LINE, BadLine, Described, read_lines


def lines(folder: Path, content: bytes, name: str = "tracks.jsonl") -> list[Described | BadLine]:
    """Returns the lines of a manifest."""
    (folder / name).write_bytes(content)
    return list(read_lines(folder / name))


def test_json_lines(tmp_path: Path) -> None:
    """Paths are relative to the folder of the manifest; empty lines are skipped, but counted."""
    content = b'\xef\xbb\xbf{"path": "a/\xc3\xa9.mp3", "external_id": "1"}\r\n\n{"path": "/b.mp3", "title": null}'
    first, second = lines(tmp_path, content)
    assert Described(1, tmp_path / "a/é.mp3", OwnMetadata("1")) == first
    assert Described(3, Path("/b.mp3"), OwnMetadata()) == second


def test_bad_json_lines(tmp_path: Path) -> None:
    """Each has its number and its problem, and the lines after it are read."""
    content = b"\n".join(
        [
            b"{",
            b"[1]",
            b'{"external_id": "1"}',
            b'{"path": 3}',
            b'{"path": "a", "mood": "calm"}',
            b'{"path": "a", "title": "\xff"}',
            b"[" * 20_000,
            b'{"path": "' + b"a" * (3 * MAX_LINE) + b'"}',
            b'{"path": "a"}',
        ]
    )
    *bad, good = lines(tmp_path, content)
    assert all(isinstance(line, BadLine) for line in bad)
    assert [*range(1, 9)] == [line.line for line in bad]
    assert [
        "It is no JSON: Expecting property name enclosed in double quotes.",
        'It is no JSON object; write {"path": ..., ...}.',
        "It has no path; give the path of a file.",
        "It has no path; give the path of a file.",
        "The field 'mood' is unknown; the fields are external_id, title, artist, album, attributes.",
        "title has a control character, or half of a character.",
        "It is no JSON: it is nested too deeply.",
        "It has more than 65,536 characters.",
    ] == [line.problem for line in bad if isinstance(line, BadLine)]
    assert Described(9, tmp_path / "a", OwnMetadata()) == good


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    """Columns that are no fields are attributes, with the types of their values in JSON; empty ones are absent."""
    rows = [
        "path,external_id,mood,bpm,live,code",
        "a.mp3,1,calm,90.5,true,007",
        "b.mp3,,,,,",
        '"c,1.mp3",3,"a ""b""",-2e1,false,',
    ]
    content = "\r\n".join(row.replace(",", delimiter) if delimiter != "," else row for row in rows).encode()
    found = lines(tmp_path, content, "tracks.csv")
    names = ["a.mp3", "b.mp3", f"c{delimiter}1.mp3"]
    expected = [
        OwnMetadata("1", attributes={"mood": "calm", "bpm": 90.5, "live": True, "code": "007"}),
        OwnMetadata(),
        OwnMetadata("3", attributes={"mood": 'a "b"', "bpm": -20.0, "live": False}),
    ]
    described = zip(names, expected, strict=True)
    assert [Described(number, tmp_path / name, own) for number, (name, own) in enumerate(described, 2)] == found


def test_bad_rows_of_csv(tmp_path: Path) -> None:
    """A row with another number of values is refused with its line, also after a row of several lines."""
    content = b'path,title\n"a\nb",T\nc\nd,e,f\n\ng,T\n'
    first, second, third, last = lines(tmp_path, content, "T.CSV")
    assert Described(2, tmp_path / "a\nb", OwnMetadata(title="T")) == first
    assert BadLine(4, "It has 1 values, and the first line has 2 columns.") == second
    assert BadLine(5, "It has 3 values, and the first line has 2 columns.") == third
    assert Described(7, tmp_path / "g", OwnMetadata(title="T")) == last


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no column path"),
        (b"title\nx\n", "no column path"),
        (b"path,title,title\n", "a column twice"),
        (b"path,my mood\n", "attributes has the name 'my mood'"),
        (b"path," + ",".join(f"a{number}" for number in range(33)).encode(), "attributes has 33 names"),
    ],
)
def test_a_header_that_cannot_be_used(tmp_path: Path, content: bytes, problem: str) -> None:
    """The manifest is refused as a whole, with an example."""
    with pytest.raises(ManifestUnusable, match=problem):
        lines(tmp_path, content, "tracks.csv")


def test_a_path_as_segue_prints_it(tmp_path: Path) -> None:
    r"""A byte that is not UTF-8 may be written as \xe9, unless there is a file of this very name."""
    (tmp_path / "caf\udce9.mp3").touch()
    (tmp_path / "x\\xe9.mp3").touch()
    content = b'{"path": "caf\\\\xe9.mp3"}\n{"path": "x\\\\xe9.mp3"}\n'
    printed, literal = lines(tmp_path, content)
    assert isinstance(printed, Described)
    assert isinstance(literal, Described)
    assert (tmp_path / "caf\udce9.mp3", tmp_path / "x\\xe9.mp3") == (printed.path, literal.path)
