"""A disagreement that an audit finds, and the commands that repair it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# A command of Redis, its key and its arguments. On the stream's key, "add" and "remove" write the event of a track, and
# "trim" drops the events up to a revision.
Command = tuple[Any, ...]


@dataclass(frozen=True)
class Finding:
    """Something that does not agree.

    Attributes:
        what: the track, file, event or snapshot that it is about.
        problem: a sentence for a person.
        commands: what mends it in Redis, in one transaction.
    """

    what: str
    problem: str
    commands: tuple[Command, ...] = ()
