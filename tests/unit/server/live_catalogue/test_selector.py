"""The chosen tracks are those of a plain oracle, which knows neither a graph nor a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.core.catalogue.records import TrackFacts
from segue.core.catalogue.tag_scores import pack_tag_scores, unpack_tag_scores
from segue.core.index.vector_index import ExactIndex, HnswIndex, Neighbour, Vectors
from segue.server.live_catalogue import selector
from segue.server.live_catalogue.selector import DIVERSITY_POOL, TrackQuery, TrackSelector
from segue.server.live_catalogue.view import EMPTY_INDEX, View
from segue.server.selection.criteria import Criteria, Exclusion, TrackFilter, Variety
from segue.server.selection.track_table import TrackTable
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
            tags_of(facts) >= wanted.tags,
            not tags_of(facts) & excluded.tags,
        )
    )


def tags_of(facts: TrackFacts) -> set[str]:
    """Returns the tags with a score above 0.05."""
    return {tag for tag, score in unpack_tag_scores(facts.tag_scores, TAGS).items() if score > 0.06}


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


lists = {
    "genres": st.frozensets(st.sampled_from(GENRES), max_size=2),
    "tags": st.frozensets(st.sampled_from(TAGS), max_size=2),
    "artists": st.frozensets(st.sampled_from(("björk", "Miles", "NINA", "unknown")), max_size=2),
    "albums": st.frozensets(st.sampled_from(("BLUE", "homogenic", "unknown")), max_size=1),
    "folders": st.lists(st.sampled_from(FOLDERS), max_size=1).map(tuple),
    "track_ids": st.frozensets(st.integers(0, 40).map(name), max_size=30),
}
sparse: dict[str, st.SearchStrategy[Any]] = {key: st.just(frozenset()) | value for key, value in lists.items()}
filters = st.builds(
    TrackFilter,
    **sparse,
    min_year=st.none() | st.sampled_from((1, 1959, 1990)),
    max_year=st.none() | st.sampled_from((1990, 2001)),
    min_seconds=st.sampled_from((0.0, 100.0)),
    max_seconds=st.none() | st.sampled_from((200.5, 300.0)),
    min_similarity=st.none() | st.sampled_from((-0.5, 0.0, 0.5)),
    exclude=st.none() | st.builds(Exclusion, **sparse),
)
varieties = st.builds(
    Variety,
    per_artist=st.integers(0, 3),
    per_album=st.integers(0, 2),
    diversity=st.sampled_from((0.0, 0.25, 0.5)),
    keep_copies=st.booleans(),
)


@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, 10_000), st.integers(8, 60), st.integers(1, 20), st.none() | filters, varieties)
def test_chosen_tracks(seed: int, count: int, k: int, wanted: TrackFilter | None, variety: Variety) -> None:
    """Filters, limits and diversity choose what a plain loop over all tracks chooses."""
    made = library(seed, count)
    track_id, embedding = next(iter(made.vectors.items()))
    query = TrackQuery(embedding, k, frozenset({track_id}), Criteria(wanted, variety))
    expected, selected = oracle(made, query), made.selector.select(made.view, query)
    assert expected == selected.neighbours
    assert not (selected.emptied_by and expected)
    quick = made.selector.select_quickly(made.view, query) if made.selector.is_quick(made.view, query) else None
    assert quick is None or expected == quick.neighbours
    if len(expected) < k:
        unlimited = oracle(made, replace(query, criteria=Criteria(wanted, Variety(0, 0, keep_copies=True))))
        assert selected.is_limited == (len(unlimited) > len(expected))
        assert quick is None or selected.is_limited == quick.is_limited


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(8, 200), st.integers(1, 20), st.none() | filters, varieties)
def test_tracks_from_a_graph(seed: int, count: int, k: int, wanted: TrackFilter | None, variety: Variety) -> None:
    """In a large catalogue, whose graph is searched for more and more neighbours, the chosen tracks are the same."""
    made = library(seed, count, has_graph=True)
    track_id, embedding = next(iter(made.vectors.items()))
    query = TrackQuery(embedding, k, frozenset({track_id}), Criteria(wanted, variety))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selector, "_EXACT_NUMBERS", 0)
        selected = made.selector.select(made.view, query).neighbours
    assert [neighbour.track_id for neighbour in oracle(made, query)] == [neighbour.track_id for neighbour in selected]


def test_a_filter_that_leaves_no_track() -> None:
    """The answer names the first condition after which no track is left."""
    made = library(1, 40)
    embedding = next(iter(made.vectors.values()))

    def emptied_by(wanted: TrackFilter) -> str:
        selected = made.selector.select(made.view, TrackQuery(embedding, 5, criteria=Criteria(wanted)))
        assert [] == selected.neighbours
        return selected.emptied_by

    assert "artists" == emptied_by(TrackFilter(genres=frozenset({"jazz"}), artists=frozenset({"unknown"})))
    assert "max_year" == emptied_by(TrackFilter(min_year=1990, max_year=1980))
    assert "exclude.genres" == emptied_by(TrackFilter(exclude=Exclusion(genres=frozenset(GENRES))))
    assert "min_similarity" == emptied_by(
        TrackFilter(min_similarity=1.0, genres=frozenset({"pop"}), artists=frozenset({"Miles"}))
    )


def test_the_mean_of_a_genre() -> None:
    """The mean of a genre is that of its tracks, brought to length 1; a genre without tracks has none."""
    made = library(2, 40)
    jazz = [made.vectors[track_id] for track_id, facts in made.facts.items() if facts.genre == "jazz"]
    mean = np.mean(jazz, axis=0)
    actual = made.selector.mean(made.view, TrackFilter(genres=frozenset({"jazz"})))
    assert actual is not None
    np.testing.assert_allclose(actual, mean / np.linalg.norm(mean), atol=1e-6)
    assert made.selector.mean(made.view, TrackFilter(genres=frozenset({"polka"}))) is None
