"""Manifests: which lines describe a file, and what is wrong with the others."""

from __future__ import annotations

import os
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
            b'{"path": "a", "attributes": {"n": ' + b"1" * 5_000 + b"}}",
            b'{"path": "a\\ud800.mp3"}',
            b'{"path": "a\\u0000.mp3"}',
            b'{"path": "' + b"a" * (3 * MAX_LINE) + b'"}',
            b'{"path": "a"}',
        ]
    )
    *bad, good = lines(tmp_path, content)
    assert all(isinstance(line, BadLine) for line in bad)
    assert [*range(1, 12)] == [line.line for line in bad]
    assert [
        "It is not JSON: Expecting property name enclosed in double quotes.",
        'It is not a JSON object; write {"path": ..., ...}.',
        "It has no path; give the path of a file.",
        "It has no path; give the path of a file.",
        "The field 'mood' is unknown; the fields are external_id, title, artist, album, attributes.",
        "title has a control character, or half of a character.",
        "It is nested too deeply.",
        "It has a number with more than 4,000 digits; write it as a text.",
        "path has half of a character; give the path of a file.",
        "path has a zero byte; give the path of a file.",
        "It has more than 65,536 characters.",
    ] == [line.problem for line in bad if isinstance(line, BadLine)]
    assert Described(12, tmp_path / "a", OwnMetadata()) == good


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    """Columns that are no fields are attributes, with the types of their values in JSON; empty ones are absent."""
    rows = [
        "path,external_id,mood,bpm,live,code",
        "a.mp3,1,calm,90.5,TRUE,007",
        "b.mp3,,,,,",
        '"c,1.mp3",3,"a ""b""",-2e1,False,',
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
    """Each has its number and its problem, and the rows after it are read."""
    content = b"path,title\nc\nd,e,f\n\ng,caf\xe9\nx\0,T\n" + b"a" * (3 * MAX_LINE) + b",T\ng,T\n"
    *bad, last = lines(tmp_path, content, "T.CSV")
    assert [
        BadLine(2, "It has 1 values, and the first line has 2 columns."),
        BadLine(3, "It has 3 values, and the first line has 2 columns."),
        BadLine(5, "It is not UTF-8; save it as CSV UTF-8."),
        BadLine(6, "path has a zero byte; give the path of a file."),
        BadLine(7, "It has more than 65,536 characters."),
    ] == bad
    assert Described(8, tmp_path / "g", OwnMetadata(title="T")) == last


@pytest.mark.parametrize("row", ['x.mp3,1,"Heroes,x', 'x.mp3,1,a"b,"Heroes', '"a', '"'])
def test_a_quote_that_is_not_closed(tmp_path: Path, row: str) -> None:
    """Only its line is lost."""
    bad, good = lines(tmp_path, f"path,external_id,title,mood\n{row}\ny.mp3,2,T,calm\n".encode(), "tracks.csv")
    problem = "A quote in it may not be closed. A value cannot go on in the next line, and has each quote twice."
    assert BadLine(2, problem) == bad
    assert Described(3, tmp_path / "y.mp3", OwnMetadata("2", "T", attributes={"mood": "calm"})) == good


def test_a_value_of_several_lines(tmp_path: Path) -> None:
    """No line of it is used, even if its end looks like a row."""
    found = lines(tmp_path, b'title,path\n"Live\nat X",x.mp3\nT,y.mp3\n', "tracks.csv")
    assert [(BadLine, 2), (BadLine, 3), (Described, 4)] == [(type(line), line.line) for line in found]


def test_csv_as_excel_writes_it(tmp_path: Path) -> None:
    """The delimiter has a line, known columns are found in any case, and empty columns and rows do not matter."""
    rows = ["sep=;", " Path ;;External_ID; My ;;", "a,b,c;;1;x;;", ";;;;;", "b;;2;;;;;", "c;y;3;;;", "d;;4;;y"]
    content = "\r\n".join(rows).encode("utf-8-sig")
    *good, second, fifth = lines(tmp_path, content, "tracks.csv")
    assert [
        Described(3, tmp_path / "a,b,c", OwnMetadata("1", attributes={"My": "x"})),
        Described(5, tmp_path / "b", OwnMetadata("2")),
    ] == good
    assert BadLine(6, "It has a value in column 2, which has no name in the first line.") == second
    assert BadLine(7, "It has 5 values, and the first line has 4 columns.") == fifth


def test_many_columns(tmp_path: Path) -> None:
    """The bound of 32 attributes holds for each row."""
    names = [f"a{number}" for number in range(40)]
    content = "\n".join([",".join(["path", *names]), "x" + 32 * ",1" + 8 * ",", "y" + 33 * ",1" + 7 * ","])
    first, second = lines(tmp_path, content.encode(), "tracks.csv")
    assert Described(2, tmp_path / "x", OwnMetadata(attributes=dict.fromkeys(names[:32], 1.0))) == first
    assert BadLine(3, "attributes has 33 names; give at most 32.") == second


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9007199254740992", 2.0**53),
        ("-9007199254740993", "-9007199254740993"),
        ("9" * 900, "9" * 900),
        ("1e999", "1e999"),
        ("1e3", 1000.0),
    ],
)
def test_a_number_that_does_not_fit(tmp_path: Path, text: str, value: float | str) -> None:
    """It stays a text, with all its digits."""
    (line,) = lines(tmp_path, f"path,n\na,{text}\n".encode(), "tracks.csv")
    assert Described(2, tmp_path / "a", OwnMetadata(attributes={"n": value})) == line


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_longest_line(tmp_path: Path, end: bytes) -> None:
    """Its end does not count."""
    start = b'{"path": "a"'
    longest = start + b" " * (MAX_LINE - len(start) - 1) + b"}"
    good, bad = lines(tmp_path, longest + (end or b"\n") + b" " + longest + end)
    assert Described(1, tmp_path / "a", OwnMetadata()) == good
    assert BadLine(2, "It has more than 65,536 characters.") == bad


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(tmp_path: Path, encoding: str) -> None:
    """The manifest is refused as a whole, with the encoding to use."""
    with pytest.raises(ManifestUnusable, match="is not UTF-8; save it as CSV UTF-8"):
        lines(tmp_path, "path,title\na,b\n".encode(encoding), "tracks.csv")
    with pytest.raises(ManifestUnusable, match="is not UTF-8; save it as UTF-8"):
        lines(tmp_path, '{"path": "a"}'.encode(encoding))


def test_a_path_in_other_words(tmp_path: Path) -> None:
    """It is stored without steps up, and so is the folder of the manifest."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "tracks.jsonl").write_text('{"path": "music/../music/./a.mp3"}')
    (line,) = read_lines(tmp_path / "sub" / ".." / "tracks.jsonl")
    assert Described(1, tmp_path / "music/a.mp3", OwnMetadata()) == line
    assert str(tmp_path / "music/a.mp3") == str(line.path)


def test_a_pipe(tmp_path: Path) -> None:
    """It is refused without being read, as it could not be read twice."""
    os.mkfifo(tmp_path / "tracks.jsonl")
    with pytest.raises(ManifestUnusable, match=r"is no regular file, .* Write the lines to a file"):
        list(read_lines(tmp_path / "tracks.jsonl"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no column path"),
        (b"title\nx\n", "no column path"),
        (b"path,title,title\n", "a column twice"),
        (b"path,my mood\n", "attributes has the name 'my mood'"),
        (b"path,Title, title\n", "a column twice"),
        (b"path,m\xf6od\n", "first line is not UTF-8; save it as CSV UTF-8"),
        (b'"path,mood\n', "a quote that is not closed"),
        (b"path," + b"a" * MAX_LINE, "more than 65,536 characters"),
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
