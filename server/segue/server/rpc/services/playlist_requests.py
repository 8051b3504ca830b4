"""Checks of the requests for playlists."""

from __future__ import annotations

from segue.core.errors import MalformedRequest
from segue.core.model.artifact import Manifest
from segue.core.selection.criteria import Criteria
from segue.server.rpc import recommend_requests
from segue.v1.recommendation_service_pb2 import ContinueRequest, FindPathRequest

DEFAULT_LENGTH, MIN_PATH, MAX_LENGTH = 25, 3, 100
DEFAULT_HALF_LIFE, MIN_HALF_LIFE, MAX_HALF_LIFE = 5.0, 0.1, 1_000.0


def half_life(request: ContinueRequest) -> float:
    """Returns the number of items after which the weight of an item is halved.

    Raises:
        MalformedRequest: it is out of its range, or there are no items.
    """
    if not request.items:
        raise MalformedRequest("items", "The request has no items; send the tracks of the list.")
    value = request.half_life if request.HasField("half_life") else DEFAULT_HALF_LIFE
    if not MIN_HALF_LIFE - 1e-6 <= value <= MAX_HALF_LIFE:  # in float32, 0.1 is a little less or more
        message = f"half_life is {value:g}; use {MIN_HALF_LIFE:g} to {MAX_HALF_LIFE:g} items."
        raise MalformedRequest("half_life", message)
    return value


def limit(request: ContinueRequest) -> int:
    """Returns the number of tracks that continue a list.

    Raises:
        MalformedRequest: it is out of its range.
    """
    return _in_range("limit", request.limit if request.HasField("limit") else DEFAULT_LENGTH, 1)


def length(request: FindPathRequest) -> int:
    """Returns the number of tracks of a path.

    Raises:
        MalformedRequest: it is out of its range.
    """
    return _in_range("length", request.length if request.HasField("length") else DEFAULT_LENGTH, MIN_PATH)


def _in_range(field: str, value: int, least: int) -> int:
    if not least <= value <= MAX_LENGTH:
        message = f"{field} is {value}; use {least} to {MAX_LENGTH}, or omit it for {DEFAULT_LENGTH}."
        raise MalformedRequest(field, message)
    return value


def criteria(request: ContinueRequest | FindPathRequest, manifest: Manifest) -> Criteria:
    """Returns the conditions of a request, see ``recommend_requests.criteria``.

    Raises:
        MalformedRequest: a value is out of its range, or the order would be random.
    """
    if request.variety.HasField("shuffle_seed"):
        message = "variety.shuffle_seed is set, and a playlist has an order of its own; leave it out."
        raise MalformedRequest("variety.shuffle_seed", message)
    return recommend_requests.criteria(request, manifest)


def path_criteria(request: FindPathRequest, manifest: Manifest) -> Criteria:
    """Returns the conditions of a path; see ``criteria``.

    Raises:
        MalformedRequest: a value is out of its range, or neighbours would have to differ.
    """
    if request.variety.diversity:
        message = "variety.diversity is set, and the neighbours on a path are alike; leave it out."
        raise MalformedRequest("variety.diversity", message)
    return criteria(request, manifest)
