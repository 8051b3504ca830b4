"""Compares the names in a folder with those of GTZAN's 1,000 tracks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.core.quantities import quantity
from segue.trainer.splits.split import gtzan_artists

_MAX_LISTED = 20


def compare_with_gtzan(tracks: Iterable[str]) -> list[str]:
    """Lists the tracks that GTZAN has and a folder lacks, and the other way round.

    Args:
        tracks: the names in the folder.

    Returns:
        Sentences; none where nothing differs, or where most names are not GTZAN's, so that it is other music.
    """
    known, names = set(gtzan_artists()), set(tracks)
    missing, unknown = sorted(known - names), sorted(names - known)
    if 2 * len(unknown) > len(names):
        return []
    differences = [
        (missing, f"{len(missing):,} of GTZAN's {len(known):,} tracks {'is' if len(missing) == 1 else 'are'} missing"),
        (unknown, f"{quantity(len(unknown), 'track is', 'tracks are')} not GTZAN's"),
    ]
    return [f"{what}: {_shorten(listed)}" for listed, what in differences if listed]


def _shorten(names: Sequence[str]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
