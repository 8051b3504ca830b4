"""The conditions that recommended tracks meet."""

from __future__ import annotations

from dataclasses import dataclass, field

from segue.core.selection.attributes import AttributeCondition

DEFAULT_PER_ARTIST = 2
"""Tracks of one artist among the recommended ones, unless a caller wants another number."""


@dataclass(frozen=True)
class TrackFilter:
    """The tracks that may be recommended; a condition without values allows all.

    Attributes:
        genres: the predicted genre is one of these.
        tags: the track has all of these predicted tags, of an exclusion one of these.
        artists: one of the artists is one of these, whatever case and accents.
        albums: the album is one of these, whatever case and accents.
        min_year: least year from the tags, or None; a track without a year is left out.
        max_year: greatest year from the tags, or None; likewise.
        min_seconds: least duration in seconds.
        max_seconds: greatest duration in seconds, or None.
        folders: the path lies in one of these folders, or below.
        track_ids: the id is one of these.
        attributes: the attributes meet all of these conditions, of an exclusion one of these.
        min_similarity: least similarity to the seed, [-1, 1], or None.
        exclude: a track that one of these conditions allows is left out.
    """

    genres: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    artists: frozenset[str] = frozenset()
    albums: frozenset[str] = frozenset()
    min_year: int | None = None
    max_year: int | None = None
    min_seconds: float = 0.0
    max_seconds: float | None = None
    folders: tuple[str, ...] = ()
    track_ids: frozenset[str] = frozenset()
    attributes: tuple[AttributeCondition, ...] = ()
    min_similarity: float | None = None
    exclude: Exclusion | None = None

    @property
    def characters(self) -> int:
        """The number of characters in all its texts."""
        parts = (self, self.exclude or Exclusion())
        lists = ((part.genres, part.tags, part.artists, part.albums, part.folders, part.track_ids) for part in parts)
        conditions = (condition for part in parts for condition in part.attributes)
        return sum(len(text) for texts in lists for values in texts for text in values) + sum(
            len(text) for condition in conditions for text in (condition.name, *condition.values)
        )


@dataclass(frozen=True)
class Exclusion:
    """The tracks that are left out; each condition by itself leaves out tracks. See ``TrackFilter``."""

    genres: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    artists: frozenset[str] = frozenset()
    albums: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    track_ids: frozenset[str] = frozenset()
    attributes: tuple[AttributeCondition, ...] = ()


@dataclass(frozen=True)
class Variety:
    """The variety of the recommended tracks.

    Attributes:
        per_artist: largest number of tracks of one artist, or 0 for any number; unknown artists are not limited.
        per_album: largest number of tracks of one album, or 0 for any number; likewise.
        diversity: weight of the difference to the tracks before, [0, 1); 0 is the order of similarity.
        keep_copies: True to recommend also copies of a recording that is recommended already, or that is a seed.
        shuffle_seed: number that gives a random order of the recommended tracks, or None for the order of similarity.
    """

    per_artist: int = DEFAULT_PER_ARTIST
    per_album: int = 0
    diversity: float = 0.0
    keep_copies: bool = False
    shuffle_seed: int | None = None

    @property
    def is_limited(self) -> bool:
        """True if similar tracks may be left out because of other ones."""
        return bool(self.per_artist or self.per_album or not self.keep_copies)


@dataclass(frozen=True)
class Criteria:
    """All conditions of a recommendation."""

    filter: TrackFilter | None = None
    variety: Variety = field(default_factory=Variety)
