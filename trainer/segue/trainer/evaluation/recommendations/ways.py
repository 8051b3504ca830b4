"""The ways to recommend that are judged: each setting by itself, and the defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segue.core.selection.criteria import DEFAULT_PER_ARTIST, Criteria, TrackFilter, Variety
from segue.trainer.evaluation.recommendations.tracks import JudgedTracks

PLAIN = Variety(per_artist=0, keep_copies=True)
"""The nearest tracks, without any limit."""


@dataclass(frozen=True)
class Way:
    """A way to recommend.

    Attributes:
        name: what differs from the nearest tracks.
        variety: limits, diversity and order.
        same_genre: True to recommend only tracks whose predicted genre is that of the seed.
        is_default: True for a default of Recommend.
    """

    name: str
    variety: Variety = PLAIN
    same_genre: bool = False
    is_default: bool = False

    def criteria(self, genre: str) -> Criteria:
        """Returns the criteria for a seed with a predicted genre."""
        return Criteria(TrackFilter(genres=frozenset({genre})) if self.same_genre else None, self.variety)

    @property
    def limits(self) -> Variety:
        """The limits alone, which are all that keeps a perfect choice from tracks of the genre."""
        return replace(self.variety, diversity=0.0, shuffle_seed=None)


NEAREST = Way("the nearest tracks")

_COPIES = Way("copies folded", replace(PLAIN, keep_copies=False), is_default=True)
_ARTISTS = (
    *(Way(f"at most {most} per artist", replace(PLAIN, per_artist=most)) for most in (5, 3)),
    Way(f"at most {DEFAULT_PER_ARTIST} per artist", replace(PLAIN, per_artist=DEFAULT_PER_ARTIST), is_default=True),
    Way("at most 1 per artist", replace(PLAIN, per_artist=1)),
)
_ALBUMS = tuple(Way(f"at most {most} per album", replace(PLAIN, per_album=most)) for most in (2, 1))
_DEFAULTS = Way("the defaults together", Variety(), is_default=True)
_OTHERS = (
    *(Way(f"diversity {weight:g}", replace(PLAIN, diversity=weight)) for weight in (0.1, 0.3, 0.5)),
    Way("shuffled", replace(PLAIN, shuffle_seed=1)),
    Way("only the predicted genre of the seed", same_genre=True),
)


def judged_ways(tracks: JudgedTracks) -> tuple[list[Way], list[str]]:
    """Returns the ways that can be judged on some tracks, after the nearest tracks, and why others cannot."""
    names = tracks.catalogue.tracks
    has_copies = any(name in tracks.fingerprints for name in names)
    has_artists = any(tracks.owners.artists.get(name) for name in names)
    has_albums = any(tracks.owners.albums.get(name) for name in names)
    choices = (
        (has_copies, (_COPIES,), "copies are not folded: the input has no windows from which they are recognized"),
        (has_artists, _ARTISTS, "limits for an artist are not judged: no artist is known"),
        (has_albums, _ALBUMS, "limits for an album are not judged: no album is known"),
        (has_copies or has_artists, (_DEFAULTS,), "the defaults are not judged: they would change nothing"),
        (True, _OTHERS, ""),
    )
    ways = [way for is_possible, some, _ in choices if is_possible for way in some]
    return ways, [reason for is_possible, _, reason in choices if not is_possible]
