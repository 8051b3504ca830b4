"""Checks of the criteria and the seeds in requests for recommendations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration

from segue.core.catalogue.own_metadata import MAX_ATTRIBUTES
from segue.core.errors import MalformedRequest
from segue.core.model.artifact import Manifest
from segue.core.selection.attributes import AttributeCondition
from segue.core.selection.criteria import (
    DEFAULT_PER_ARTIST,
    Criteria,
    Exclusion,
    TrackFilter,
    Variety,
)
from segue.core.selection.selector import DIVERSITY_POOL
from segue.core.selection.track_table import MAX_TAGS
from segue.v1 import recommendation_service_pb2

MAX_SEEDS = 100
MAX_FILTER_VALUES, MAX_VALUE_LENGTH = 1_000, 1_024
MAX_WEIGHT = 100.0
_MAX_CAP = 100
_MAX_DIVERSITY = 0.99
_MAX_YEAR = 9_999
_SHOWN_LETTERS, _LISTED_LETTERS = 64, 1_000


ChoosingRequest: TypeAlias = (
    recommendation_service_pb2.RecommendRequest
    | recommendation_service_pb2.ContinueRequest
    | recommendation_service_pb2.FindPathRequest
)
"""A request with a filter and variety."""


def criteria(request: ChoosingRequest, manifest: Manifest, last: int = 0) -> Criteria:
    """Returns the conditions of a request.

    Args:
        request: the request.
        manifest: the manifest of the model.
        last: number of tracks to choose, the skipped ones included, if diversity limits it.

    Raises:
        MalformedRequest: a value is out of its range, or a genre or a tag is unknown.
    """
    wanted = _filter(request.filter, manifest) if request.filter.ListFields() else None
    # Who names artists, albums or tracks wants all of them.
    is_named = wanted is not None and bool(wanted.artists or wanted.albums or wanted.track_ids)
    variety = _variety(request.variety, 0 if is_named else DEFAULT_PER_ARTIST)
    if variety.diversity and last > DIVERSITY_POOL:
        raise MalformedRequest("offset", f"With diversity, offset + limit is at most {DIVERSITY_POOL}.")
    return Criteria(wanted, variety)


def _variety(variety: recommendation_service_pb2.Variety, default_per_artist: int) -> Variety:
    diversity = variety.diversity
    if not 0 <= diversity <= _MAX_DIVERSITY + 1e-6:  # in float32, 0.99 is a little less or more
        raise MalformedRequest("variety.diversity", f"variety.diversity is {diversity:g}; use 0 to {_MAX_DIVERSITY}.")
    per_artist = variety.max_per_artist if variety.HasField("max_per_artist") else default_per_artist
    caps = {"max_per_artist": per_artist, "max_per_album": variety.max_per_album}
    for name, value in caps.items():
        if not 0 <= value <= _MAX_CAP:
            raise MalformedRequest(f"variety.{name}", f"variety.{name} is {value}; use 0, for no limit, to {_MAX_CAP}.")
    shuffle_seed = variety.shuffle_seed if variety.HasField("shuffle_seed") else None
    return Variety(per_artist, variety.max_per_album, diversity, variety.keep_copies, shuffle_seed)


def _filter(wanted: recommendation_service_pb2.TrackFilter, manifest: Manifest) -> TrackFilter:
    _check_values("filter", wanted)
    exclude = wanted.exclude if wanted.HasField("exclude") else None
    if exclude:
        _check_values("filter.exclude", exclude)
    similarity = wanted.min_similarity if wanted.HasField("min_similarity") else None
    if similarity is not None and not -1 <= similarity <= 1:
        raise MalformedRequest("filter.min_similarity", f"filter.min_similarity is {similarity:g}; use -1 to 1.")
    return TrackFilter(
        genres=frozenset(known_genre("filter.genres", genre, manifest) for genre in wanted.genres),
        tags=frozenset(known_tag("filter.tags", tag, manifest) for tag in wanted.tags),
        artists=frozenset(wanted.artists),
        albums=frozenset(wanted.albums),
        min_year=_year(wanted, "min_year"),
        max_year=_year(wanted, "max_year"),
        min_seconds=_seconds("filter.min_duration", wanted.min_duration),
        max_seconds=_seconds("filter.max_duration", wanted.max_duration) if wanted.HasField("max_duration") else None,
        folders=tuple(wanted.folders),
        track_ids=frozenset(wanted.track_ids),
        attributes=_attributes("filter.attributes", wanted.attributes),
        min_similarity=similarity,
        exclude=exclude and _exclusion(exclude, manifest),
    )


def _exclusion(exclude: recommendation_service_pb2.TrackExclusion, manifest: Manifest) -> Exclusion:
    return Exclusion(
        genres=frozenset(known_genre("filter.exclude.genres", genre, manifest) for genre in exclude.genres),
        tags=frozenset(known_tag("filter.exclude.tags", tag, manifest) for tag in exclude.tags),
        artists=frozenset(exclude.artists),
        albums=frozenset(exclude.albums),
        folders=tuple(exclude.folders),
        track_ids=frozenset(exclude.track_ids),
        attributes=_attributes("filter.exclude.attributes", exclude.attributes),
    )


def _attributes(
    field: str, conditions: Sequence[recommendation_service_pb2.AttributeCondition]
) -> tuple[AttributeCondition, ...]:
    if len(conditions) > MAX_ATTRIBUTES:
        message = f"{field} has {len(conditions):,} conditions; send at most {MAX_ATTRIBUTES}."
        raise MalformedRequest(field, message)
    return tuple(_attribute(f"{field}[{number}]", condition) for number, condition in enumerate(conditions))


def _attribute(field: str, condition: recommendation_service_pb2.AttributeCondition) -> AttributeCondition:
    has_range = condition.HasField("min") or condition.HasField("max")
    if not condition.name or [bool(condition.values), condition.HasField("is_true"), has_range].count(True) != 1:
        message = f"{field} needs a name, and one kind of condition: values, is_true, or min and max."
        raise MalformedRequest(field, message)
    _check_texts(f"{field}.name", [condition.name])
    _check_texts(f"{field}.values", condition.values)
    if condition.values:
        return AttributeCondition(condition.name, values=frozenset(condition.values))
    if condition.HasField("is_true"):
        return AttributeCondition(condition.name, is_true=condition.is_true)
    least = condition.min if condition.HasField("min") else -math.inf
    greatest = condition.max if condition.HasField("max") else math.inf
    if math.isnan(least) or math.isnan(greatest):
        raise MalformedRequest(field, f"{field} has a bound that is no number.")
    return AttributeCondition(condition.name, least=least, greatest=greatest)


def _check_values(
    name: str,
    conditions: recommendation_service_pb2.TrackFilter | recommendation_service_pb2.TrackExclusion,
) -> None:
    """Checks the lists of a filter.

    Raises:
        MalformedRequest: a list is too long, or has an empty text.
    """
    for field in ("genres", "tags", "artists", "albums", "folders", "track_ids"):
        _check_texts(f"{name}.{field}", getattr(conditions, field))


def _check_texts(field: str, values: Sequence[str]) -> None:
    if len(values) > MAX_FILTER_VALUES:
        raise MalformedRequest(field, f"{field} has {len(values):,} values; send at most {MAX_FILTER_VALUES:,}.")
    if "" in values or any(len(value) > MAX_VALUE_LENGTH for value in values):
        message = f"{field} has a text that is empty or longer than {MAX_VALUE_LENGTH:,} characters."
        raise MalformedRequest(field, message)


def known_genre(field: str, genre: str, manifest: Manifest) -> str:
    """Returns a genre as the model names it, whatever its case.

    Raises:
        MalformedRequest: the model does not have it.
    """
    return _known(field, genre, "genres", manifest.labels)


def known_tag(field: str, tag: str, manifest: Manifest) -> str:
    """Returns a tag as the model names it, whatever its case.

    Raises:
        MalformedRequest: the model does not have it, or has no tags at all.
    """
    if not manifest.tags:
        raise MalformedRequest(field, f"{field} has a tag, and the server's model, {manifest.model_id}, predicts none.")
    return _known(field, tag, "tags", manifest.tags[:MAX_TAGS])


def _known(field: str, name: str, kind: str, known: Sequence[str]) -> str:
    found = next((each for each in known if each == name or each.casefold() == name.casefold()), None)
    if found is None:
        listed = ", ".join(known)[:_LISTED_LETTERS]
        raise MalformedRequest(field, f"{field} has {name[:_SHOWN_LETTERS]!r}; the model's {kind} are {listed}.")
    return found


def _year(wanted: recommendation_service_pb2.TrackFilter, field: str) -> int | None:
    if not wanted.HasField(field):  # type: ignore[arg-type] # one of two names
        return None
    value: int = getattr(wanted, field)
    if not 1 <= value <= _MAX_YEAR:
        raise MalformedRequest(f"filter.{field}", f"filter.{field} is {value}; use 1 to {_MAX_YEAR:,}.")
    return value


def _seconds(field: str, duration: Duration) -> float:
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0:
        raise MalformedRequest(field, f"{field} is {seconds:g} s; use 0 s or more.")
    return seconds


def check_seeds(seeds: Sequence[recommendation_service_pb2.Seed], name: str) -> None:
    """Checks the number and the weights of seeds.

    Args:
        seeds: the seeds.
        name: their field in the request, a plural such as "seeds".

    Raises:
        MalformedRequest: there are too many, one has no source, a weight is out of its range, or none is positive.
    """
    if len(seeds) > MAX_SEEDS:
        raise MalformedRequest(name, f"The request has {len(seeds):,} {name}; send at most {MAX_SEEDS}.")
    for number, seed in enumerate(seeds):
        check_source(seed, f"{name}[{number}]")
        weight = seed_weight(seed)
        if not (math.isfinite(weight) and 0 < abs(weight) <= MAX_WEIGHT):
            field = f"{name}[{number}].weight"
            raise MalformedRequest(field, f"{field} is {weight:g}; use -{MAX_WEIGHT:g} to {MAX_WEIGHT:g} without 0.")
    if all(seed_weight(seed) < 0 for seed in seeds):
        raise MalformedRequest(name, f"All {name} have negative weights; at least one needs a positive one.")


def check_source(seed: recommendation_service_pb2.Seed, field: str) -> None:
    """Checks that a seed has a source.

    Raises:
        MalformedRequest: it has none; the error names the field.
    """
    if seed.WhichOneof("source") is None or (seed.HasField("track_id") and not seed.track_id):
        raise MalformedRequest(field, f"{field} has no source; send audio or a track_id.")


def seed_weight(seed: recommendation_service_pb2.Seed) -> float:
    """Returns the weight of a seed, unchecked."""
    return seed.weight if seed.HasField("weight") else 1.0
