"""Random filters and varieties for the tracks of an invented library."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from segue.core.selection.attributes import AttributeCondition
from segue.core.selection.criteria import Exclusion, TrackFilter, Variety
from tests.helpers.server.invented_library import FOLDERS, GENRES, TAGS
from tests.helpers.server.live_catalogues import name

lists = {
    "genres": st.frozensets(st.sampled_from(GENRES), max_size=2),
    "tags": st.frozensets(st.sampled_from(TAGS), max_size=2),
    "artists": st.frozensets(st.sampled_from(("björk", "Miles", "NINA", "unknown")), max_size=2),
    "albums": st.frozensets(st.sampled_from(("BLUE", "homogenic", "unknown")), max_size=1),
    "folders": st.lists(st.sampled_from(FOLDERS), max_size=1).map(tuple),
    "track_ids": st.frozensets(st.integers(0, 40).map(name), max_size=30),
}
sparse: dict[str, st.SearchStrategy[Any]] = {key: st.just(frozenset()) | value for key, value in lists.items()}
names = st.sampled_from(("a", "b", "unknown"))
attribute_conditions = (
    st.builds(AttributeCondition, names, values=st.frozensets(st.sampled_from(("calm", "x", "?")), min_size=1))
    | st.builds(AttributeCondition, names, is_true=st.booleans())
    | st.builds(AttributeCondition, names, least=st.sampled_from((-math.inf, 0.0, 1.0)))
    | st.builds(AttributeCondition, names, greatest=st.sampled_from((0.5, 1.0, 90.0)))
)
sparse["attributes"] = st.just(()) | st.lists(attribute_conditions, max_size=2).map(tuple)
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
