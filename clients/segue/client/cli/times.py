"""Times as text."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from segue.v1.recommendation_service_pb2 import TrackMoments


def format_duration(duration: Duration) -> str:
    """Formats a duration as m:ss, or h:mm:ss from one hour on."""
    minutes, seconds = divmod(round(duration.ToTimedelta().total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def format_moments(track: TrackMoments) -> str:
    """Formats the best pair of moments, the seed's first; empty without any."""
    if not track.moments:
        return ""
    best = track.moments[0]
    seed, found = (best.seed_start, best.seed_end), (best.start, best.end)
    return " ~ ".join("-".join(map(format_duration, span)) for span in (seed, found))
