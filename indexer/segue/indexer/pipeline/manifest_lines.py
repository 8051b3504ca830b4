"""Reads the lines of a manifest: JSON objects, or rows of a CSV file with a header."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from segue.core.catalogue.display_path import file_path
from segue.core.catalogue.own_metadata import parse_metadata
from segue.core.catalogue.records import OwnMetadata
from segue.indexer.errors import ManifestUnusable
from segue.indexer.pipeline.manifest_csv import NOT_UTF8, CsvRows
from segue.indexer.pipeline.scan import absolute

MAX_LINE = 65_536
"""Most characters of a line."""

_PATH = "path"
_UTF16_MARKS = "\udcff\udcfe", "\udcfe\udcff"


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


def is_csv(manifest: Path) -> bool:
    """Returns whether a manifest is CSV, by its ending."""
    return manifest.suffix.lower() == ".csv"


def read_lines(manifest: Path) -> Iterator[Described | BadLine]:
    """Yields the lines of a manifest without empty ones; a path that is not absolute is relative to its folder.

    Raises:
        ManifestUnusable: the manifest cannot be read, or its header cannot be used.
    """
    try:
        _check_regular(manifest)
        # A byte that is not UTF-8 is refused with its line, not with the whole file.
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            _check_encoding(manifest, file)
            yield from _lines(manifest, file)
    except OSError as error:
        raise ManifestUnusable(f"{manifest} cannot be read: {error.strerror or error}. Name another file.") from error


def _check_regular(manifest: Path) -> None:
    if not stat.S_ISREG(manifest.stat().st_mode):
        raise ManifestUnusable(
            f"{manifest} is no regular file, and Segue reads a manifest twice. Write the lines to a file, and name it."
        )


def _check_encoding(manifest: Path, file: TextIO) -> None:
    """Refuses UTF-16, which has a mark at its start, or a zero byte in each character of ASCII."""
    start = file.read(4)
    file.seek(0)
    if "\0" in start or start.startswith(_UTF16_MARKS):
        raise ManifestUnusable(f"{manifest} {NOT_UTF8 if is_csv(manifest) else 'is not UTF-8; save it as UTF-8'}.")


def _lines(manifest: Path, file: TextIO) -> Iterator[Described | BadLine]:
    folder = absolute(manifest).parent
    numbered = enumerate(_bounded_lines(file), 1)
    values_of: Callable[[str], Mapping[str, Any] | str | None] = _json_values
    if is_csv(manifest):
        values_of = CsvRows(manifest, (line for _, line in numbered), MAX_LINE).values
    for number, line in numbered:
        if len(line) > MAX_LINE:
            yield BadLine(number, f"It has more than {MAX_LINE:,} characters.")
        elif (values := values_of(line)) is not None:
            yield _described(folder, number, values)


def _json_values(line: str) -> Mapping[str, Any] | str | None:
    """Returns the values of a line, the problem of a line that is no JSON object, or None for an empty line."""
    if not line.strip():
        return None
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        return f"It is not JSON: {error.msg}."
    except RecursionError:
        return "It is nested too deeply."
    except ValueError:  # Python refuses to read longer integers
        return "It has a number with more than 4,000 digits; write it as a text."
    return values if isinstance(values, dict) else 'It is not a JSON object; write {"path": ..., ...}.'


def _bounded_lines(file: TextIO) -> Iterator[str]:
    """Yields the lines of a file without their ends; of one that is too long only the beginning, still too long."""
    most = MAX_LINE + 1
    while line := file.readline(most):
        rest = line
        while len(rest) == most and not rest.endswith("\n"):
            rest = file.readline(most)
        yield line.removesuffix("\n")


def _described(folder: Path, number: int, values: Mapping[str, Any] | str) -> Described | BadLine:
    """Returns what the values of a line describe; a text is the problem of the line."""
    if isinstance(values, str):
        return BadLine(number, values)
    path = values.get(_PATH)
    try:
        own = parse_metadata({name: value for name, value in values.items() if name != _PATH})
    except ValueError as error:
        return BadLine(number, str(error))
    if problem := _path_problem(path):
        return BadLine(number, problem)
    return Described(number, absolute(_find(folder, str(path))), own)


def _path_problem(path: object) -> str:
    if not isinstance(path, str) or not path:
        return "It has no path; give the path of a file."
    if "\0" in path:
        return "path has a zero byte; give the path of a file."
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return "path has half of a character; give the path of a file."
    return ""


def _find(folder: Path, text: str) -> Path:
    """Returns the path of a file, also as Segue prints it if it is not UTF-8."""
    if "\\x" not in text:  # as Segue prints bytes that are not UTF-8
        return folder / text
    exact = folder / file_path(text)
    with suppress(OSError, ValueError):
        return folder / text if (folder / text).exists() or not exact.exists() else exact
    return folder / text
