from __future__ import annotations

from segue.core.selection.shuffle import shuffled

TRACKS = [f"{number:032x}" for number in range(30)]


def test_the_order_depends_on_the_seed_and_the_tracks() -> None:
    """The same seed gives the same order, also of tracks that came in another one; another seed gives another."""
    first = shuffled(TRACKS, 1, str)
    assert first == shuffled(TRACKS[::-1], 1, str)
    assert first != shuffled(TRACKS, 2, str)
    assert sorted(TRACKS) == sorted(first)


def test_without_a_seed_tracks_stay_in_order() -> None:
    """So do none at all."""
    assert TRACKS == shuffled(TRACKS, None, str)
    assert [] == shuffled([], 1, str)
