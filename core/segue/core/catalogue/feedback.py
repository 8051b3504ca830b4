"""Actions of users, such as playing a track."""

from __future__ import annotations

from dataclasses import dataclass

REPEAT_SECONDS = 3_600
"""Time within which an action that is recorded again counts as the same."""
MAX_ACTIONS = 1_000_000
"""Number of actions that a catalogue keeps; the oldest ones are removed, up to a few hundred later than this."""


@dataclass(frozen=True)
class Feedback:
    """One action of a user.

    Attributes:
        user: name of the user.
        track_id: id of the track.
        kind: what the user did, such as "played".
        time_ms: when the user did it, in milliseconds since 1970.
    """

    user: str
    track_id: str
    kind: str
    time_ms: int
