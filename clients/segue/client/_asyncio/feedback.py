"""The methods of the client for asyncio that record what users do."""

from __future__ import annotations

from datetime import datetime

from segue.client import _calls
from segue.client._asyncio.connection import Connection
from segue.client._calls import FeedbackAction
from segue.v1.feedback_service_pb2 import RecordFeedbackResponse


class FeedbackMethods(Connection):
    """Records actions of users."""

    async def record_feedback(
        self, user_id: str, track_id: str, kind: FeedbackAction, *, time: datetime | None = None
    ) -> RecordFeedbackResponse:
        """Records one action of a user; see `Client.record_feedback`."""
        return await self._send(_calls.record_feedback(user_id, track_id, kind, time))
