"""Snapshots that are made aside, and then published under a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segue.core.model.artifact import Manifest
from tests.load.music import add_tracks

_ADDED = 100


def made_aside(data: Path, redis: str, manifest: Manifest, tracks: int, count: int) -> Iterator[Path]:
    """Makes snapshots of a catalogue that grows by some tracks before each; the server follows its events meanwhile.

    Args:
        data: the server's data folder, in which they are made: a rename is one step in one file system only.
        redis: where the catalogue is.
        manifest: the model that it is of.
        tracks: how many tracks it has.
        count: how many snapshots to make.
    """
    for number in range(count):
        aside = data / f"aside-{number}"
        add_tracks(aside, redis, manifest, tracks + _ADDED * number, _ADDED)
        yield from (aside / "snapshots").iterdir()


def put_in_place(snapshot: Path, data: Path) -> None:
    """Publishes a snapshot as the indexer does, by a rename."""
    snapshot.rename(data / "snapshots" / snapshot.name)


def swapped(data: Path) -> int:
    """How many snapshots the server has said so far that it loaded."""
    return (data / "server.log").read_text(encoding="utf-8").count("is loaded")
