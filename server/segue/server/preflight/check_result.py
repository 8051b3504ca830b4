"""The result of a pre-flight check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes:
        what: the subject, in a word or two.
        level: "fail" if the server would not start or not serve, "warn" if it might not work as expected.
        text: the finding in a sentence.
        advice: action to take, or empty.
    """

    what: str
    level: Level
    text: str
    advice: str = ""
