"""Rows are found by the attributes of their owner, also after changes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from segue.core.selection import attributes as module
from segue.core.selection.attributes import AttributeCondition, Attributes

VALUES: list[object] = ["calm", "wild", True, False, 1.0, 90.0, ("calm", "x"), ("x", "x"), ()]
CONDITIONS = [
    AttributeCondition("a", values=frozenset({"calm", "?"})),
    AttributeCondition("a", is_true=True),
    AttributeCondition("a", least=1.0, greatest=50.0),
    AttributeCondition("b", values=frozenset({"x"})),
    AttributeCondition("b", is_true=False),
    AttributeCondition("b", greatest=90.0),
    AttributeCondition("unknown", values=frozenset({"x"})),
]


def meets(value: object, condition: AttributeCondition) -> bool:
    """Returns whether a value meets a condition, said in another way than the code."""
    texts = [value] if isinstance(value, str) else [*value] if isinstance(value, tuple) else []
    if condition.values:
        return any(text in condition.values for text in texts)
    if condition.is_true is not None:
        return isinstance(value, bool) and value == condition.is_true
    return type(value) is float and condition.least <= value <= condition.greatest


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_change(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any changes, the rows of a condition are those of a plain loop; columns are arranged again or dropped."""
    dice = random.Random(seed)
    monkeypatch.setattr(module, "_MAX_CHANGED", dice.choice([0, 3, 1_000]))
    monkeypatch.setattr(module, "_MAX_COLUMNS", dice.choice([1, 64]))
    stored, rows = Attributes(), dict[int, dict[str, object]]()
    for _ in range(40):
        for _ in range(dice.randrange(4)):
            row = dice.randrange(12)
            given = {name: dice.choice(VALUES) for name in ("a", "b") if dice.random() < 0.7}
            stored.put(row, given)
            rows[row] = given
        assert all(stored.of(row) == given for row, given in rows.items())
        condition, size = dice.choice(CONDITIONS), dice.choice([0, 6, 12, 15])
        expected = [meets(rows.get(row, {}).get(condition.name), condition) for row in range(size)]
        assert expected == stored.rows_with(condition, size).tolist()


def test_no_row() -> None:
    """Without any attributes no row meets a condition."""
    assert np.zeros(3, np.bool_).tolist() == Attributes().rows_with(CONDITIONS[0], 3).tolist()
