"""The methods of the synchronous client that record what users do."""

from __future__ import annotations

from datetime import datetime

from segue.client import _calls
from segue.client._calls import FeedbackAction
from segue.client._sync.connection import Connection
from segue.v1.feedback_service_pb2 import RecordFeedbackResponse


class FeedbackMethods(Connection):
    """Records actions of users."""

    def record_feedback(
        self, user_id: str, track_id: str, kind: FeedbackAction, *, time: datetime | None = None
    ) -> RecordFeedbackResponse:
        """Records one action of a user. The same action within an hour is recorded once, so the call may be repeated.

        Args:
            user_id: a name of the user, [1, 128] characters; best a pseudonym, since it is stored as it is.
            track_id: the id of the track, or "external:" and its external id.
            kind: "played", "skipped", "liked" or "disliked".
            time: when the user did it, with a time zone; None is now. Give it where you may repeat the call.

        Raises:
            ValueError: the kind is unknown, or the time has no time zone.
        """
        return self._send(_calls.record_feedback(user_id, track_id, kind, time))
