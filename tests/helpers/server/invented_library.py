"""An invented catalogue, and the tracks that a plain loop chooses from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.core.catalogue.records import Attribute, TrackFacts
from segue.core.catalogue.tag_scores import pack_tag_scores, unpack_tag_scores
from segue.core.index.vector_index import ExactIndex, HnswIndex, Neighbour, Vectors
from segue.core.selection.attributes import AttributeCondition
from segue.core.selection.criteria import Exclusion, TrackFilter
from segue.core.selection.selector import DIVERSITY_POOL, TrackSelector
from segue.core.selection.track_query import TrackQuery
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import EMPTY_INDEX, View
from tests.helpers.server.live_catalogues import WIDTH, name

GENRES = ("jazz", "rock", "pop")
ARTISTS = ("", "Björk", "BJORK", "Miles", "Nina")
ALBUMS = ("", "Blue", "Homogenic")
TAGS = ("guitar", "sad", "slow")
FOLDERS = ("/music", "/music/a", "/music/ab", "/music/a/b")


@dataclass(frozen=True)
class Library:
    """A made-up catalogue.

    Attributes:
        view: its tracks, some in an index and some added since.
        facts: the facts of each track, by id.
        vectors: their embeddings.
        copies: the group of each track that has copies.
    """

    view: View
    facts: dict[str, TrackFacts]
    vectors: dict[str, Vectors]
    copies: dict[str, str]

    @property
    def selector(self) -> TrackSelector:
        """A selector whose table has all tracks."""
        table = TrackTable(TAGS)
        half = len(self.facts) // 2  # some tracks are read before their copies are known, some after
        table.put(list(self.facts)[:half], list(self.facts.values())[:half])
        table.group(self.copies)
        table.put(list(self.facts)[half:], list(self.facts.values())[half:])
        table.is_complete = True
        return TrackSelector(table)


def half_vector(dice: np.random.Generator) -> Vectors:
    """Returns a vector of length 1 with four values of 0.5 or -0.5."""
    vector = np.zeros(WIDTH, np.float32)
    vector[dice.permutation(WIDTH)[:4]] = dice.choice([-0.5, 0.5], 4)
    return vector


def random_vector(dice: np.random.Generator) -> Vectors:
    """Returns a vector of length 1 in any direction."""
    vector = dice.standard_normal(WIDTH).astype(np.float32)
    unit: Vectors = vector / np.linalg.norm(vector)
    return unit


def library(seed: int, count: int, *, has_graph: bool = False) -> Library:
    """Makes up a catalogue.

    Without a graph, many similarities are equal, and all are exact, so that rounding changes no order.
    """
    dice = np.random.default_rng(seed)
    copied_share = float(dice.choice([0.0, 0.5]))
    ids = [name(int(number)) for number in dice.permutation(count)]
    make = random_vector if has_graph else half_vector
    vectors = {track_id: make(dice) for track_id in ids}
    facts = {
        track_id: TrackFacts(
            title=track_id,
            artist=(artist := str(dice.choice(ARTISTS))),
            album=str(dice.choice(ALBUMS)),
            path=f"{dice.choice(FOLDERS)}/{track_id}.flac",
            genre=str(dice.choice(GENRES)),
            year=str(dice.choice(["", "1959", "1997", "2001"])),
            seconds=float(dice.choice([30.0, 200.5, 400.0])),
            tag_scores=pack_tag_scores(dice.choice([0.0, 0.05, 0.5], 3).astype(np.float32), TAGS),
            artists=(artist, "Nina") if dice.random() < 0.3 and artist else (),
            attributes=random_attributes(dice),
        )
        for track_id in ids
    }
    in_index = int(dice.choice([0, count // 2, count]))
    base = sorted(ids[:in_index])
    removed = frozenset(base[: in_index // 4])
    added = {track_id: vectors[track_id] for track_id in ids[in_index:]}
    build = HnswIndex.build if has_graph else ExactIndex
    index = build(base, np.stack([vectors[track_id] for track_id in base])) if base else EMPTY_INDEX
    view = View(base=index, base_ids=frozenset(base), removed=removed, added=added)
    kept = {track_id: known for track_id, known in facts.items() if track_id not in removed}
    copied = [track_id for track_id in ids if dice.random() < copied_share]
    copies = {track_id: str(dice.choice(copied[: len(copied) // 2 + 1])) for track_id in copied}
    return Library(view, kept, {track_id: vectors[track_id] for track_id in kept}, copies)


def random_attributes(dice: np.random.Generator) -> dict[str, Attribute]:
    """Makes up attributes, whose types differ from track to track."""
    values: list[Attribute] = ["calm", "wild", True, False, 1.0, 90.0, ("calm", "x"), ("x", "wild", "x"), ()]
    return {name: values[int(dice.integers(len(values)))] for name in ("a", "b") if dice.random() < 0.7}


def fold(text: str) -> str:
    """The texts of this test have one letter with a mark."""
    return text.lower().replace("ö", "o")


def meets(track_id: str, facts: TrackFacts, wanted: TrackFilter) -> bool:
    """Returns whether a track meets a filter, apart from its similarity."""
    year = int(facts.year or 0)
    excluded = wanted.exclude or Exclusion()
    met = zip(lists_of(track_id, facts, excluded), values_of(excluded), strict=True)
    return all(
        (
            all(lists_of(track_id, facts, wanted)),
            wanted.min_year is None or year >= wanted.min_year,
            wanted.max_year is None or 0 < year <= wanted.max_year,
            facts.seconds >= wanted.min_seconds,
            wanted.max_seconds is None or facts.seconds <= wanted.max_seconds,
            not any(is_met and values for is_met, values in met),
            all(has_attribute(facts, condition) for condition in wanted.attributes),
            not any(has_attribute(facts, condition) for condition in excluded.attributes),
            tags_of(facts) >= wanted.tags,
            not tags_of(facts) & excluded.tags,
        )
    )


def tags_of(facts: TrackFacts) -> set[str]:
    """Returns the tags with a score above 0.05."""
    return {tag for tag, score in unpack_tag_scores(facts.tag_scores, TAGS).items() if score > 0.06}


def has_attribute(facts: TrackFacts, condition: AttributeCondition) -> bool:
    """Returns whether a track meets a condition on an attribute."""
    value = facts.attributes.get(condition.name)
    if condition.values:
        return (
            (value in condition.values)
            if isinstance(value, str)
            else (isinstance(value, tuple) and not condition.values.isdisjoint(value))
        )
    if condition.is_true is not None:
        return value is condition.is_true
    return isinstance(value, float) and condition.least <= value <= condition.greatest


def values_of(wanted: TrackFilter | Exclusion) -> tuple[Any, ...]:
    """The lists of a filter, in the order of ``lists_of``."""
    return wanted.track_ids, wanted.genres, wanted.artists, wanted.albums, wanted.folders


def lists_of(track_id: str, facts: TrackFacts, wanted: TrackFilter | Exclusion) -> Iterator[bool]:
    """Yields for each list of a filter whether the track is in it, or the list is empty."""
    artists = {fold(artist) for artist in facts.artists or (facts.artist,) if artist}
    yield not wanted.track_ids or track_id in wanted.track_ids
    yield not wanted.genres or facts.genre in wanted.genres
    yield not wanted.artists or bool(artists & set(map(fold, wanted.artists)))
    yield not wanted.albums or (facts.album != "" and fold(facts.album) in map(fold, wanted.albums))
    folder = facts.path.rpartition("/")[0] + "/"
    yield not wanted.folders or any(folder.startswith(f"{root}/") for root in wanted.folders)


def oracle(made: Library, query: TrackQuery) -> list[Neighbour]:
    """Chooses tracks one by one."""
    wanted, variety = query.criteria.filter or TrackFilter(), query.criteria.variety
    similarities = {track_id: float(vector @ query.embedding) for track_id, vector in made.vectors.items()}
    artists: Counter[str] = Counter()
    albums: Counter[tuple[str, str]] = Counter()
    recordings = {made.copies[seed] for seed in query.seeds if seed in made.copies}
    kept = []
    for track_id in sorted(similarities, key=lambda key: (-similarities[key], key)):
        facts = made.facts[track_id]
        artist = fold((facts.artists or (facts.artist,))[0])
        album = (fold(facts.artist), fold(facts.album)) if facts.album else ("", "")
        if track_id in query.seeds | query.exclude or not meets(track_id, facts, wanted):
            continue
        if wanted.min_similarity is not None and similarities[track_id] < wanted.min_similarity:
            continue
        if artist and variety.per_artist and artists[artist] >= variety.per_artist:
            continue
        if facts.album and variety.per_album and albums[album] >= variety.per_album:
            continue
        if not variety.keep_copies and made.copies.get(track_id) in recordings:
            continue
        recordings |= {made.copies[track_id]} if track_id in made.copies else set()
        artists[artist] += 1
        albums[album] += 1
        kept.append(Neighbour(track_id, similarities[track_id]))
    if variety.diversity:
        kept = diverse(made, kept[:DIVERSITY_POOL], variety.diversity)
    return kept[: query.count]


def diverse(made: Library, neighbours: list[Neighbour], diversity: float) -> list[Neighbour]:
    """Orders tracks by maximal marginal relevance."""

    def value(item: Neighbour) -> float:
        own = made.vectors[item.track_id]
        alike = max((float(own @ made.vectors[other.track_id]) for other in chosen), default=0.0)
        return (1 - diversity) * item.similarity - diversity * alike

    chosen: list[Neighbour] = []
    rest = list(neighbours)
    while rest:
        chosen.append(max(rest, key=value))
        rest.remove(chosen[-1])
    return chosen
