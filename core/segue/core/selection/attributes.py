"""The attributes that owners give to tracks, in the form in which tracks are chosen by them."""

from __future__ import annotations

import math
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_Mask = NDArray[np.bool_]
_Rows = NDArray[np.int64]

_NO_ROWS = np.zeros(0, np.int64)
# Attributes whose values are arranged at a time, and rows that may have changed since.
_MAX_COLUMNS, _MAX_CHANGED = 64, 1_000


@dataclass(frozen=True)
class AttributeCondition:
    """A condition on an attribute that owners give to tracks; the one that has a value counts.

    Attributes:
        name: name of the attribute.
        values: the text is one of these, or the list has one of these.
        is_true: the truth value is this, or None.
        least: least number.
        greatest: greatest number.
    """

    name: str
    values: frozenset[str] = frozenset()
    is_true: bool | None = None
    least: float = -math.inf
    greatest: float = math.inf


@dataclass(frozen=True)
class _Column:
    """The values of one attribute, with the rows that had them when they were arranged.

    Attributes:
        numbers: rows [n] and numbers [n].
        truths: rows [m] and truth values [m].
        texts: rows [k] by each text.
        changed: rows that have changed since then.
    """

    numbers: tuple[_Rows, NDArray[np.float64]]
    truths: tuple[_Rows, _Mask]
    texts: Mapping[str, _Rows]
    changed: set[int] = field(default_factory=set)

    def matching(self, condition: AttributeCondition) -> _Rows:
        """Returns the rows [n] that met a condition; a row may come twice."""
        if condition.values:
            return np.concatenate([_NO_ROWS, *(self.texts.get(text, _NO_ROWS) for text in condition.values)])
        (rows, numbers), (true_rows, truths) = self.numbers, self.truths
        found: _Rows = (
            rows[(numbers >= condition.least) & (numbers <= condition.greatest)]
            if condition.is_true is None
            else true_rows[truths == condition.is_true]
        )
        return found


class Attributes:
    """The attributes by row, as far as rows have some. Every method is thread-safe.

    The values of an attribute are arranged when a condition on it comes for the first time, and again after many rows
    have changed. It takes some 2 s for 1,000,000 rows that have it.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Mapping[str, object]] = {}
        self._columns: dict[str, _Column] = {}
        self._names = Counter[str]()  # rows of each name
        self._lock = threading.Lock()

    def of(self, row: int) -> Mapping[str, object]:
        """Returns the attributes of a row."""
        return self._rows.get(row, {})

    def put(self, row: int, attributes: Mapping[str, object]) -> None:
        """Stores the attributes of a row."""
        with self._lock:
            self._names.subtract(self._rows.pop(row, {}).keys())
            self._names.update(attributes.keys())
            if attributes:
                self._rows[row] = attributes
            for name, column in [*self._columns.items()]:
                column.changed.add(row)
                if self._has_changed(column):
                    del self._columns[name]

    def rows_with(self, condition: AttributeCondition, rows: int) -> _Mask:
        """Returns a mask [rows], True for the rows whose attribute meets a condition."""
        mask = np.zeros(rows, np.bool_)
        if self._names[condition.name] <= 0:
            return mask
        with self._lock:
            column = self._column(condition.name)
            found = column.matching(condition)
            mask[found[found < rows]] = True  # a row that is newer than the mask is not in it
            for row in column.changed:
                if row < rows:
                    mask[row] = _meets(self._rows.get(row, {}).get(condition.name), condition)
        return mask

    def _column(self, name: str) -> _Column:
        """Returns the arranged values of an attribute; those of attributes that have not been asked for long go."""
        column = self._columns.pop(name, None)
        if column is None:
            column = self._arrange(name)
        self._columns[name] = column
        while len(self._columns) > _MAX_COLUMNS:
            del self._columns[next(iter(self._columns))]
        return column

    def _has_changed(self, column: _Column) -> bool:
        """Returns whether so many rows have changed that a column is worth being arranged again."""
        return len(column.changed) > _MAX_CHANGED + len(self._rows) // 10

    def _arrange(self, name: str) -> _Column:
        numbers: list[tuple[int, float]] = []
        truths: list[tuple[int, bool]] = []
        texts: dict[str, list[int]] = defaultdict(list)
        for row, attributes in self._rows.items():
            match attributes.get(name):
                case bool(value):
                    truths.append((row, value))
                case float(value):
                    numbers.append((row, value))
                case str(value):
                    texts[value].append(row)
                case tuple(values):
                    for value in values:
                        texts[value].append(row)
        return _Column(
            (_rows_of(numbers), np.array([value for _, value in numbers], np.float64)),
            (_rows_of(truths), np.array([value for _, value in truths], np.bool_)),
            {text: np.array(rows, np.int64) for text, rows in texts.items()},
        )


def _rows_of(pairs: list[tuple[int, float]] | list[tuple[int, bool]]) -> _Rows:
    return np.array([row for row, _ in pairs], np.int64)


def _meets(value: object, condition: AttributeCondition) -> bool:
    """Returns whether a value meets a condition."""
    if condition.values:
        return not condition.values.isdisjoint(value if isinstance(value, tuple) else (value,))
    if condition.is_true is not None:
        return value is condition.is_true
    return isinstance(value, float) and condition.least <= value <= condition.greatest
