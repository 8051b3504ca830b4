"""Reads numbers of plays: who played what how often.

The plain form is a table with a header and the columns ``user``, ``item`` and ``count``, separated by tabs (.tsv) or
commas (.csv). Lines of the same user and item are added. A folder is read by ``segue.trainer.collaborative.hetrec``.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from segue.trainer.errors import DataUnusable

REMEDY = "A table of plays has a header and the columns user, item and count, with tabs (.tsv) or commas (.csv)."
_MAX_COUNT = 1e12

Pairs = Mapping[tuple[str, str], float]
"""The number of plays, above 0, by user and item."""


@dataclass(frozen=True)
class Plays:
    """The plays of users.

    Attributes:
        users: names of the users, in order, [u].
        items: names of the items, in order, [i].
        counts: log(1 + plays) of each user and item, float32 [u, i]; pairs without plays are not stored.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    counts: Any  # scipy ships no types

    def select(self, items: list[str]) -> Plays:
        """Returns the plays of some of the items, in their order, and of the users who played any of them."""
        place = {item: column for column, item in enumerate(self.items)}
        counts = self.counts[:, [place[item] for item in items]]
        rows = np.flatnonzero(np.diff(counts.indptr))
        return Plays(tuple(self.users[row] for row in rows), tuple(items), counts[rows])

    @property
    def players(self) -> Any:  # noqa: ANN401 - an array of numbers
        """The number of users who played each item, [i]."""
        return np.bincount(self.counts.indices, minlength=len(self.items))


def read_plays(path: Path) -> Pairs:
    """Reads a table of plays.

    Raises:
        DataUnusable: it cannot be read, has no plays, or has a line that is none.
    """
    pairs: dict[tuple[str, str], float] = defaultdict(float)
    for line, row in read_table(path, ("user", "item", "count"), REMEDY):
        pairs[row["user"], row["item"]] += parse_count(row["count"], path, line)
    if not pairs:
        raise DataUnusable(f"{path} has no plays. {REMEDY}")
    return pairs


def collect(pairs: Pairs) -> Plays:
    """Collects plays in the order of the names of users and items."""
    users, items = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    row, column = ({name: number for number, name in enumerate(names)} for names in (users, items))
    places = [row[user] for user, _ in pairs], [column[item] for _, item in pairs]
    values = np.log1p(np.fromiter(pairs.values(), float, len(pairs)))
    counts = csr_array((values.astype(np.float32), places), shape=(len(users), len(items)))
    counts.sort_indices()
    return Plays(tuple(users), tuple(items), counts)


def parse_count(text: str, path: Path, line: int) -> float:
    """Parses a number of plays.

    Raises:
        DataUnusable: it is no number above 0.
    """
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0 < count <= _MAX_COUNT:
        raise DataUnusable(f"{path}, line {line}: the count {text!r} is not a number above 0. Correct the line.")
    return count


def read_table(
    path: Path, columns: tuple[str, ...], remedy: str, may_be_empty: tuple[str, ...] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the number of each line and its columns by name; empty lines are skipped.

    Args:
        path: the table, with tabs or, if its name ends with .csv, commas.
        columns: names of the columns that it needs.
        remedy: the last sentence of an error.
        may_be_empty: those of the columns that a line may leave empty.

    Raises:
        DataUnusable: it cannot be read, lacks a column, or has a line without one.
    """
    is_csv = path.suffix.lower() == ".csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file) if is_csv else csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
                raise DataUnusable(f"{path} lacks the column {missing[0]}. {remedy}")
            for row in rows:
                if any(not row[name] for name in columns if name not in may_be_empty):
                    raise DataUnusable(f"{path}, line {rows.line_num}: a column is empty. {remedy}")
                yield rows.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataUnusable(f"{path} cannot be read: {error}. {remedy}") from error
