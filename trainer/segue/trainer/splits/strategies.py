"""Draws splits by a seed: by track, as the paper does, by artist, or by chunk, which leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from segue.core.quantities import quantity
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.splits.connected_tracks import Pairs, connect
from segue.trainer.splits.split import (
    ARTISTS,
    CHUNKS,
    DRAWN,
    PAPER,
    RANDOM,
    SHIPPED,
    TEST,
    TRAIN,
    VALID,
    Split,
    artist_groups,
    check_duplicates,
    check_names,
    gtzan_artists,
    known_duplicates,
    load_split,
)

# The paper's shares: one in ten for testing, and one in ten of the rest for validation.
_TEST_SHARE, _VALID_SHARE = 0.1, 0.09


@dataclass(frozen=True)
class SplitSpec:
    """The split that a run uses.

    Attributes:
        name: name of a split that ships or is drawn, or path of a saved one.
        seed: seed of a split that is drawn.
        folds: number of folds of ``artist-grouped``, 3 or above.
        fold: test fold of ``artist-grouped``, from 0.
    """

    name: str = RANDOM
    seed: int = 0
    folds: int = 5
    fold: int = 0

    @property
    def by_chunk(self) -> bool:
        """True where clips are cut into chunks before the split is drawn."""
        return self.name == CHUNKS

    def load(self) -> Split | None:
        """Loads the split, or returns None where it is drawn from the tracks.

        Raises:
            SplitMismatch: it does not exist, or it cannot be used.
        """
        if self.name in DRAWN:
            if self.name == ARTISTS and self.fold >= self.folds:
                raise SplitMismatch(
                    f"There is no fold {self.fold} of {self.folds}: the last is {self.folds - 1}. Change --fold."
                )
            return None
        if self.name not in SHIPPED and not self.name.endswith(".tsv"):
            raise SplitMismatch(
                f"There is no split {self.name!r}. Choose one of: {', '.join((*SHIPPED, *DRAWN))}; or name the path "
                "of a saved split (tsv)."
            )
        return load_split(self.name)

    def draw(self, genres: Mapping[str, str], copies: Pairs = ()) -> Split:
        """Draws the split.

        Args:
            genres: the genre of each track, or of each chunk.
            copies: pairs of tracks that stay on one side.

        Raises:
            DataUnusable: the tracks or the known artists are too few, or a name cannot be saved.
        """
        check_names(genres)
        if self.name == PAPER:
            return paper_split(genres, self.seed, copies)
        if self.name == CHUNKS:
            return chunk_random_split(genres, self.seed)
        if self.name == ARTISTS:
            return artist_grouped_split(genres, self.seed, self.folds, self.fold)
        return random_split(genres, self.seed, copies=copies)


def random_split(genres: Mapping[str, str], seed: int, share: float = 0.2, copies: Pairs = ()) -> Split:
    """Draws a share of each genre for validation, by track.

    Args:
        genres: the genre of each track.
        seed: seed of the draw.
        share: share of each genre, above 0 and below 1; at least one track is drawn and at least one is left.
        copies: pairs of tracks that are one recording; they stay on one side, as GTZAN's known duplicates do.

    Raises:
        DataUnusable: a genre has fewer than two recordings.
    """
    return _draw(RANDOM, genres, seed, {VALID: share}, copies)


def paper_split(genres: Mapping[str, str], seed: int, copies: Pairs = ()) -> Split:
    """Draws the paper's 9:1 and 9:1 again: of each genre 81 % train, 9 % validate and 10 % test, by track.

    Raises:
        DataUnusable: a genre has fewer than three recordings.
    """
    return _draw(PAPER, genres, seed, {TEST: _TEST_SHARE, VALID: _VALID_SHARE}, copies)


def chunk_random_split(genres: Mapping[str, str], seed: int) -> Split:
    """Draws the paper's shares of chunks, whatever their tracks, so that the split leaks.

    Args:
        genres: the genre of each chunk.
        seed: seed of the draw.

    Raises:
        DataUnusable: a genre has fewer than three chunks.
    """
    return Split(CHUNKS, _draw(CHUNKS, genres, seed, {TEST: _TEST_SHARE, VALID: _VALID_SHARE}).sides, "chunk")


def artist_grouped_split(genres: Mapping[str, str], seed: int, folds: int, fold: int) -> Split:
    """Draws k folds that keep the tracks of an artist together, as evenly over the genres as that allows.

    The fold tests, the next one validates, the others train. A track whose artist is not in GTZAN's index counts as an
    artist of its own.

    Raises:
        DataUnusable: the tracks are not GTZAN's, or a genre has too few tracks or artists for so many folds.
    """
    artists = gtzan_artists()
    strangers = sorted(set(genres) - set(artists))
    if strangers:
        raise DataUnusable(
            f"The input has {quantity(len(strangers), 'track')} of unknown artists, such as {strangers[0]}: the split "
            f"{ARTISTS} needs GTZAN's names. Choose another split."
        )
    tracks = sorted(genres)
    parts = _artist_folds(tracks, genres, seed, folds)
    sides = dict.fromkeys(tracks, TRAIN)
    for number, side in (((fold + 1) % folds, VALID), (fold, TEST)):
        sides |= {tracks[place]: side for place in parts[number]}
    lost = sorted(set(genres.values()) - {genres[track] for track in tracks if sides[track] == TRAIN})
    if lost:
        raise DataUnusable(
            f"Fold {fold} of {folds} has no tracks of {', '.join(lost)} to train on: the genre has too few artists. "
            "Add clips of more artists, or choose another --fold or --folds."
        )
    return _checked(Split(f"{ARTISTS}-{fold}-of-{folds}", sides))


def _artist_folds(tracks: list[str], genres: Mapping[str, str], seed: int, folds: int) -> list[NDArray[np.int64]]:
    """Returns the rows of the tracks in each fold."""
    groups = artist_groups(tracks)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    kinds = np.array([genres[track] for track in tracks])
    try:
        return [test for _, test in splitter.split(kinds, kinds, [groups[track] for track in tracks])]
    except ValueError as error:
        raise DataUnusable(
            f"{quantity(len(tracks), 'track')} cannot be divided into {folds} folds: {error} Lower --folds."
        ) from error


def _draw(name: str, genres: Mapping[str, str], seed: int, shares: Mapping[str, float], copies: Pairs = ()) -> Split:
    """Draws shares of each genre, in units of copies of one recording; the rest is the training side."""
    random = np.random.default_rng(seed)
    unit = connect(genres, [*known_duplicates(), *copies])
    sides: dict[str, str] = {}
    for genre in sorted(set(genres.values())):
        tracks = sorted(track for track in genres if genres[track] == genre)
        left = [track for track in tracks if unit[track] == track]
        if len(left) <= len(shares):
            raise DataUnusable(
                f"The genre {genre!r} has too few recordings: {len(left)}, in {quantity(len(tracks), 'track')} when "
                f"copies count once. Give it {len(shares) + 1} or more, or leave it out."
            )
        for side, share in shares.items():
            count = min(len(left) - 1, max(1, round(share * len(tracks))))
            drawn = set(random.choice(left, count, replace=False).tolist())
            sides |= dict.fromkeys(drawn, side)
            left = [track for track in left if track not in drawn]
    return _checked(Split(name, {track: sides.get(unit[track], TRAIN) for track in genres}))


def _checked(split: Split) -> Split:
    check_duplicates(split)
    return split
