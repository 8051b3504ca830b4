"""GTZAN's 1,000 names, against which a folder is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.trainer.splits.split import gtzan_artists

_LISTED = 20


def compare_with_gtzan(tracks: Iterable[str]) -> list[str]:
    """What a folder of GTZAN lacks, and what it has that GTZAN has not.

    Args:
        tracks: the names in a folder.

    Returns:
        Sentences; none where nothing differs, or where most of the names are not GTZAN's, so that it is other music.
    """
    known, found = set(gtzan_artists()), set(tracks)
    missing, unknown = sorted(known - found), sorted(found - known)
    if 2 * len(unknown) > len(found):
        return []
    said = [
        (missing, f"{len(missing)} of GTZAN's {len(known):,} tracks are not there"),
        (unknown, f"{len(unknown)} tracks are not GTZAN's"),
    ]
    return [f"{what}: {_listed(names)}" for names, what in said if names]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
