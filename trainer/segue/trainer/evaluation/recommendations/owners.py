"""Reads the artists and albums of tracks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.split import gtzan_artists, parse_rows


@dataclass(frozen=True)
class TrackOwners:
    """The artists and albums of tracks, by the names of the tracks; unknown ones are missing or empty."""

    artists: Mapping[str, str] = field(default_factory=dict)
    albums: Mapping[str, str] = field(default_factory=dict)


def gtzan_owners() -> TrackOwners:
    """Returns the artists of GTZAN's tracks; their albums are not known."""
    return TrackOwners(gtzan_artists())


def read_owners(path: Path, tracks: Collection[str]) -> TrackOwners:
    """Reads a table (tsv) with the columns track, artist and, if known, album.

    Args:
        path: the file.
        tracks: names of the tracks that are judged.

    Raises:
        DataUnusable: it cannot be read, lacks a column, or has none of the tracks.
    """
    remedy = "It needs the columns track and artist, separated by tabs."
    try:
        rows = parse_rows(path.read_text(encoding="utf-8-sig"), str(path))
        artists = {row["track"]: row["artist"] for row in rows}
    except (OSError, UnicodeDecodeError, SplitMismatch) as error:
        raise DataUnusable(f"{path} is not a table of artists: {error}. {remedy}") from error
    except KeyError as error:
        raise DataUnusable(f"{path} is not a table of artists: it lacks the column {error}. {remedy}") from error
    if artists.keys().isdisjoint(tracks):
        example = min(tracks, default="none")
        raise DataUnusable(f"{path} has no track of the input, such as {example}. Name the tracks as the input does.")
    return TrackOwners(artists, {row["track"]: row.get("album", "") for row in rows})
