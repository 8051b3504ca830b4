"""Tracks as messages: the client gets everything that the catalogue knows, and a path that can be opened."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from segue.client import path_of
from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import Track
from segue.server.rpc.converters import tag_scores, track


def test_every_field_of_a_track_is_sent() -> None:
    """Only the posterior stays in the catalogue, and the duration has another type."""
    values = {field.name: _value(field.name) for field in fields(Track)}
    message = track(Track.from_json(values))

    for name in values.keys() - {"posterior", "seconds", "tag_scores", "year"}:
        sent = getattr(message, name)
        assert values[name] == (sent if isinstance(sent, str | int) else list(sent)), name
    assert (1959, 2) == (message.year, message.duration.seconds)


def _value(name: str) -> object:
    others = {"posterior": {}, "seconds": 2.0, "track_number": 3, "disc_number": 2, "year": "1959"}
    return [name, "more"] if name in {"artists", "tagged_genres", "musicbrainz_artist_ids"} else others.get(name, name)


def test_tags_are_sorted() -> None:
    """The best tags come first, equally good ones in the order of their names."""
    tags = tag_scores([0.25, 0.5, 0.25], ("sad", "happy", "80s"))
    assert [("happy", 0.5), ("80s", 0.25), ("sad", 0.25)] == [(tag.tag, tag.score) for tag in tags]


@pytest.mark.parametrize("raw", [b"/caf\xc3\xa9.mp3", b"/caf\xe9.mp3", b"/caf\\xe9.mp3"])
def test_the_file_of_a_track_can_be_opened(raw: bytes) -> None:
    """The path that the client returns has the bytes of the file's name, be they UTF-8 or not."""
    path = Path(os.fsdecode(raw))
    message = track(Track("0" * 32, "", path=display_path(path)))

    assert path == path_of(message)
    assert (b"" if raw == message.path.encode() else raw) == message.raw_path
