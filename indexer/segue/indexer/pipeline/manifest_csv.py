"""Reads a manifest that is CSV: a header, and a row on each line."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from segue.core.catalogue.own_metadata import parse_metadata
from segue.core.catalogue.records import OwnMetadata
from segue.indexer.errors import ManifestUnusable

NOT_UTF8 = "is not UTF-8; save it as CSV UTF-8"
"""The problem of a file or a line in another encoding, and what to do."""

_PATH = "path"
_FIELDS = frozenset({_PATH, *(field.name for field in fields(OwnMetadata) if field.name != "attributes")})
_DELIMITERS = ",;\t"
# Excel reads and some programs write the delimiter on a line of its own.
_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t|])"?,*', re.IGNORECASE)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_MAX_INTEGER = 2**53
_TRUTH = {"true": True, "false": False}
_UNREADABLE_BYTE = re.compile("[\udc80-\udcff]")


class CsvRows:
    """Reads rows by the header of their file. A row ends with its line, so that a stray quote spoils only this line."""

    def __init__(self, manifest: Path, lines: Iterator[str], most: int) -> None:
        """Reads the header, and a line before it that names the delimiter.

        Args:
            manifest: path of the file, for errors.
            lines: lines of the file without their ends.
            most: most characters of a line.

        Raises:
            ManifestUnusable: the header cannot be used.
        """
        first = next(lines, "")
        named = _NAMED_DELIMITER.fullmatch(first.rstrip())
        header = next(lines, "") if named else first
        self._delimiter = named[1] if named else max(_DELIMITERS, key=header.count)
        names = [_column(name) for name in self._split(header)]
        self._names = names[: _length(names)]
        problem = f"has more than {most:,} characters" if len(header) > most else self._header_problem(header)
        if problem:
            raise ManifestUnusable(
                f"{manifest} is no manifest in CSV: its first line {problem.rstrip('.')}. Give it a header such as "
                "path,external_id,title,mood; a manifest in JSON lines has another ending, such as .jsonl."
            )

    def values(self, line: str) -> Mapping[str, Any] | str | None:
        """Returns the values of a row: its known columns, and the others as attributes.

        Returns:
            The values, the problem of a row that cannot be used, or None for one without values.
        """
        row = self._split(line)
        if not line.strip() or not any(row):
            return None
        if problem := self._row_problem(line, row):
            return problem
        given = {name: value for name, value in zip(self._names, row, strict=False) if value}
        known = {name: value for name, value in given.items() if name in _FIELDS}
        return {**known, "attributes": {name: _typed(value) for name, value in given.items() if name not in _FIELDS}}

    def _split(self, line: str) -> list[str]:
        """Returns the cells of a line; the last one has a line break if its quote is not closed."""
        return next(csv.reader([f"{line}\n"], delimiter=self._delimiter), [])

    def _header_problem(self, header: str) -> str:
        names = [name for name in self._names if name]
        if _UNREADABLE_BYTE.search(header):
            return NOT_UTF8
        if _has_open_quote(header):
            return "has a quote that is not closed"
        if _PATH not in names:
            return f"has no column {_PATH}"
        if len(set(names)) < len(names):
            return "has a column twice"
        return _problem_of_attributes(name for name in names if name not in _FIELDS)

    def _row_problem(self, line: str, row: Sequence[str]) -> str:
        if _UNREADABLE_BYTE.search(line):
            return f"It {NOT_UTF8}."
        if _has_open_quote(line) or "\n" in row[-1]:
            return "A quote in it may not be closed. A value cannot go on in the next line, and has each quote twice."
        columns = len(self._names)
        if (cells := max(_length(row), min(len(row), columns))) != columns:
            return f"It has {cells:,} values, and the first line has {columns:,} columns."
        unnamed = (number for number, name in enumerate(self._names, 1) if not name and any(row[number - 1 : number]))
        number = next(unnamed, 0)
        return f"It has a value in column {number:,}, which has no name in the first line." if number else ""


def _column(name: str) -> str:
    """Returns the name of a column; spaces and the case of a known one do not matter."""
    name = name.strip()
    return name.lower() if name.lower() in _FIELDS else name


def _has_open_quote(line: str) -> bool:
    """Returns whether a line has a quote without a second one; a quote in a value is written as two."""
    return line.count('"') % 2 == 1


def _problem_of_attributes(names: Iterator[str]) -> str:
    try:
        for name in names:  # one by one: each row has its own number of attributes
            parse_metadata({"attributes": {name: ""}})
    except ValueError as error:
        return f"cannot be used: {error}"
    return ""


def _length(cells: Sequence[str]) -> int:
    """Returns the number of cells without the empty ones at the end."""
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)


def _typed(text: str) -> str | float | bool:
    """Returns the number or the truth value that a text is in JSON, else the text."""
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    return float(text) if _is_number(text) else text


def _is_number(text: str) -> bool:
    """Returns whether a text is a number in JSON that a float has with all its digits before the point."""
    match = _NUMBER.fullmatch(text)
    if match is None or not math.isfinite(float(text)):
        return False
    # A long integer is an id, such as that of a message, and a float would change its last digits.
    is_integer = match[2] is None and match[3] is None
    return not is_integer or (len(match[1]) <= len(str(_MAX_INTEGER)) and int(match[1]) <= _MAX_INTEGER)
