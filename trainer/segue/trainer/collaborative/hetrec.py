"""Reads the folder of hetrec2011-lastfm-2k (Cantador, Brusilovsky and Kuflik, HetRec 2011): plays and tags of artists.

Items are artists, by their folded names: NFKD without accents, lower case, "&" as "and", no "the" in front, letters and
digits alone. So the artists of another collection can be found among them.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from segue.trainer.accurate.musicnn import TAG_NAMES
from segue.trainer.collaborative.plays import Pairs, parse_count
from segue.trainer.errors import DataUnusable

_REMEDY = "Name the folder of hetrec2011-lastfm-2k, or a table with the columns user, item and count."


class Assignment(NamedTuple):
    """One of MusiCNN's tags, as its number, that a user gave to an artist."""

    user: str
    item: str
    tag: int


def fold_name(name: str) -> str:
    """Returns the letters and digits by which the name of an artist is compared; empty if it has none."""
    plain = (character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character))
    text = "".join(plain).lower().replace("&", " and ").strip().removeprefix("the ")
    return "".join(filter(str.isalnum, text))


def read_hetrec(folder: Path) -> Pairs:
    """Reads the plays; artists with the same folded name are one item.

    Raises:
        DataUnusable: a file is missing, or has a line that does not fit.
    """
    artists = _artists(folder)
    plays: dict[tuple[str, str], float] = defaultdict(float)
    path = folder / "user_artists.dat"
    for line, (user, artist, count) in _rows(path, 3):
        if artist in artists:
            plays[user, artists[artist]] += parse_count(count, path, line)
    if not plays:
        raise DataUnusable(f"{path} has no plays of an artist in artists.dat. {_REMEDY}")
    return plays


def read_assignments(folder: Path) -> list[Assignment]:
    """Reads who gave which of MusiCNN's tags to which artist.

    Raises:
        DataUnusable: a file is missing, or has a line that does not fit.
    """
    artists = _artists(folder)
    known = {name.lower(): number for number, name in enumerate(TAG_NAMES)}
    tags = {tag: known[name.lower()] for _, (tag, name) in _rows(folder / "tags.dat", 2) if name.lower() in known}
    rows = _rows(folder / "user_taggedartists.dat", 3)
    return [Assignment(u, artists[a], tags[t]) for _, (u, a, t) in rows if a in artists and t in tags]


def _artists(folder: Path) -> dict[str, str]:
    """Returns the folded name of each artist by its number; those without a letter or digit are left out."""
    rows = _rows(folder / "artists.dat", 2)
    return {number: folded for _, (number, name) in rows if (folded := fold_name(name))}


def _rows(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each line after the header, and its first columns."""
    try:
        # The set is not in one encoding throughout; only ASCII names of tags and names of artists are compared.
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            next(file, None)
            for number, line in enumerate(file, 2):
                if not (text := line.rstrip("\r\n")):
                    continue
                fields = text.split("\t")[:columns]
                if len(fields) < columns:
                    raise DataUnusable(f"{path}, line {number}: it has fewer than {columns} columns. {_REMEDY}")
                yield number, fields
    except OSError as error:
        raise DataUnusable(f"{path} cannot be read: {error.strerror}. {_REMEDY}") from error
