"""Reads the lines of a manifest: JSON objects, or rows of a CSV file with a header."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from segue.core.catalogue.display_path import file_path
from segue.core.catalogue.own_metadata import parse_metadata
from segue.core.catalogue.records import OwnMetadata
from segue.indexer.errors import ManifestUnusable

MAX_LINE = 65_536
"""Most characters of a line."""

_PATH = "path"
_FIELDS = (_PATH, *(field.name for field in fields(OwnMetadata) if field.name != "attributes"))
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Described:
    """A line that describes a file.

    Attributes:
        line: its number, from 1 on.
        path: absolute path of the file.
        own: the owner's metadata.
    """

    line: int
    path: Path
    own: OwnMetadata


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be used.

    Attributes:
        line: its number, from 1 on.
        problem: what is wrong with it, and what to do, as sentences.
    """

    line: int
    problem: str


def read_lines(manifest: Path) -> Iterator[Described | BadLine]:
    """Yields the lines of a manifest without empty ones; a path that is not absolute is relative to its folder.

    Raises:
        ManifestUnusable: the manifest cannot be read, or its header cannot be used.
    """
    # A byte that is not UTF-8 is refused with its line, not with the whole file.
    try:
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = _csv_rows(manifest, file) if manifest.suffix.lower() == ".csv" else _json_rows(file)
            for number, values in rows:
                yield _described(manifest, number, values)
    except OSError as error:
        raise ManifestUnusable(f"{manifest} cannot be read: {error.strerror or error}. Name another file.") from error


def _described(manifest: Path, number: int, values: Mapping[str, Any] | str) -> Described | BadLine:
    """Returns what the values of a line describe; a text is the problem of the line."""
    if isinstance(values, str):
        return BadLine(number, values)
    path = values.get(_PATH)
    try:
        own = parse_metadata({name: value for name, value in values.items() if name != _PATH})
    except ValueError as error:
        return BadLine(number, str(error))
    if not isinstance(path, str) or not path or "\0" in path:
        return BadLine(number, "It has no path; give the path of a file.")
    return Described(number, _find(manifest.absolute().parent, path), own)


def _find(folder: Path, text: str) -> Path:
    """Returns the path of a file, also as Segue prints it if it is not UTF-8."""
    if "\\x" not in text:  # as Segue prints bytes that are not UTF-8
        return folder / text
    exact = folder / file_path(text)
    with suppress(OSError, ValueError):
        return folder / text if (folder / text).exists() or not exact.exists() else exact
    return folder / text


def _json_rows(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(_bounded_lines(file), 1):
        if len(line) > MAX_LINE:
            yield number, f"It has more than {MAX_LINE:,} characters."
        elif not line.isspace():
            yield number, _json_object(line)


def _bounded_lines(file: TextIO) -> Iterator[str]:
    """Yields the lines of a file; of one that is too long only the beginning, which is too long as well."""
    while line := file.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith("\n"):
            rest = file.readline(MAX_LINE + 1)
        yield line


def _json_object(line: str) -> Mapping[str, Any] | str:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"It is no JSON: {getattr(error, 'msg', 'it is nested too deeply')}."
    return values if isinstance(values, dict) else 'It is no JSON object; write {"path": ..., ...}.'


def _csv_rows(manifest: Path, file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    first = file.readline(MAX_LINE + 1)
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    _check_header(manifest, header)
    rows = csv.reader(_bounded_lines(file), delimiter=delimiter)
    while True:
        number = 2 + rows.line_num  # the first line of the row, which may have several
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield number, f"It is no row of CSV: {error}."
            continue
        if row is None:
            return
        if any(row):
            yield number, _row(header, row)


def _check_header(manifest: Path, header: Sequence[str]) -> None:
    problem = ""
    if _PATH not in header:
        problem = f"its first line has no column {_PATH}"
    elif len(set(header)) < len(header):
        problem = "its first line has a column twice"
    else:
        try:
            parse_metadata({"attributes": {name: "" for name in header if name not in _FIELDS}})
        except ValueError as error:
            problem = f"its first line cannot be used: {error}"
    if problem:
        raise ManifestUnusable(
            f"{manifest} is no manifest in CSV: {problem.rstrip('.')}. Give it a header such as "
            "path,external_id,title,mood; a manifest in JSON lines has another ending, such as .jsonl."
        )


def _row(header: Sequence[str], row: Sequence[str]) -> Mapping[str, Any] | str:
    """Returns the values of a row: its known columns, and the others as attributes."""
    if len(row) != len(header):
        return f"It has {len(row)} values, and the first line has {len(header)} columns."
    given = {name: value for name, value in zip(header, row, strict=True) if value}
    known = {name: value for name, value in given.items() if name in _FIELDS}
    return {**known, "attributes": {name: _typed(value) for name, value in given.items() if name not in _FIELDS}}


def _typed(text: str) -> str | float | bool:
    """Returns the number or the truth value that a text is in JSON, else the text."""
    if text in _TRUTH:
        return _TRUTH[text]
    return float(text) if _NUMBER.fullmatch(text) else text
