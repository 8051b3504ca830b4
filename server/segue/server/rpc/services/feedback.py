"""The service that records what users do with tracks."""

from __future__ import annotations

import time
import unicodedata

from segue.core.catalogue.feedback import Feedback
from segue.core.catalogue.store import TrackStore
from segue.core.errors import MalformedRequest, TrackNotFound
from segue.server.components import ComponentsUser
from segue.server.observability.metrics import Metrics
from segue.server.rpc import catalogue_requests, converters
from segue.server.rpc.handlers import Context
from segue.server.rpc.services.track_ids import resolve_external_ids
from segue.v1 import feedback_service_pb2, feedback_service_pb2_grpc

MAX_USER_LENGTH = 128
_KINDS = {
    feedback_service_pb2.FEEDBACK_KIND_PLAYED: "played",
    feedback_service_pb2.FEEDBACK_KIND_SKIPPED: "skipped",
    feedback_service_pb2.FEEDBACK_KIND_LIKED: "liked",
    feedback_service_pb2.FEEDBACK_KIND_DISLIKED: "disliked",
}
# Clocks of players may be fast.
_MAX_FUTURE_MS = 86_400_000


class FeedbackService(ComponentsUser, feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Records actions of users."""

    def __init__(self, metrics: Metrics) -> None:
        """Counts actions in these metrics."""
        self._metrics = metrics

    async def RecordFeedback(  # noqa: N802 - the contract's name
        self, request: feedback_service_pb2.RecordFeedbackRequest, context: Context
    ) -> feedback_service_pb2.RecordFeedbackResponse:
        """Records one action of a user, unless it is a repetition."""
        components = self._components
        user, kind, time_ms = _user(request), _kind(request), _time_ms(request)
        await resolve_external_ids(request, components.catalogue, components.readers)
        feedback = Feedback(user, catalogue_requests.track_id(request.track_id), kind, time_ms)
        recorded = await components.readers.run(_record, components.catalogue.store, feedback)
        self._metrics.count_feedback(kind, recorded=recorded)
        return feedback_service_pb2.RecordFeedbackResponse(
            recorded=recorded, revision=converters.revision(components.model_id, *components.catalogue_state)
        )


def _record(store: TrackStore, feedback: Feedback) -> bool:
    (track,) = store.facts([feedback.track_id])
    if track is None:
        raise TrackNotFound(feedback.track_id)
    return store.record_feedback(feedback)


def _user(request: feedback_service_pb2.RecordFeedbackRequest) -> str:
    """Returns the name of the user.

    Raises:
        MalformedRequest: it is empty, too long, or has a control character.
    """
    user = request.user_id
    if not 1 <= len(user) <= MAX_USER_LENGTH or any(unicodedata.category(letter) == "Cc" for letter in user):
        raise MalformedRequest(
            "user_id", f"user_id has 1 to {MAX_USER_LENGTH} characters without control characters, not {user[:200]!r}."
        )
    return user


def _kind(request: feedback_service_pb2.RecordFeedbackRequest) -> str:
    """Returns the name of the kind.

    Raises:
        MalformedRequest: it is missing or unknown.
    """
    if request.kind not in _KINDS:
        raise MalformedRequest("kind", f"kind is {request.kind}; send one of {', '.join(_KINDS.values())}.")
    return _KINDS[request.kind]


def _time_ms(request: feedback_service_pb2.RecordFeedbackRequest) -> int:
    """Returns the time in milliseconds since 1970.

    Raises:
        MalformedRequest: it is missing, before 1970, or more than one day from now.
    """
    if not request.HasField("time"):
        raise MalformedRequest("time", "time is missing; send when the user did it, so that repetitions are known.")
    time_ms = request.time.seconds * 1_000 + request.time.nanos // 1_000_000
    if not 0 <= time_ms <= time.time() * 1_000 + _MAX_FUTURE_MS or not 0 <= request.time.nanos < 1_000_000_000:
        raise MalformedRequest("time", "time is not between 1970 and one day from now; correct the clock.")
    return time_ms
