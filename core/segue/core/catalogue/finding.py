"""A contradiction in the catalogue, and the commands that repair it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Command = tuple[Any, ...]
"""A command of Redis: its name, its key and its arguments.

With the key of the stream, "add" and "remove" write the event of a track, and "trim" drops the events up to a revision.
"""


@dataclass(frozen=True)
class Finding:
    """A contradiction that an audit found.

    Attributes:
        what: the track, file, event or snapshot that is wrong.
        problem: what is wrong with it, as a sentence.
        commands: the commands that repair it in Redis, in one transaction.
    """

    what: str
    problem: str
    commands: tuple[Command, ...] = ()
