"""The contract of every store, as far as the windows of tracks go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue.core.catalogue.store import WritableStore
from segue.core.catalogue.window_embeddings import WindowEmbeddings, pack_windows, unpack_windows
from tests.helpers.catalogue.tracks import MODEL, WIDTH, addition, embedding, track_id


def packed(number: int, count: int = 3) -> bytes:
    """Windows of a track."""
    values = np.stack([embedding(100 * number + window, WIDTH) for window in range(count)])
    return pack_windows(WindowEmbeddings(np.linspace(0, 3 * (count - 1), count), values))


def kept(store: WritableStore, *numbers: int) -> list[bytes | None]:
    """The windows of tracks, packed."""
    return [
        None if found is None else pack_windows(found)
        for found in store.windows([track_id(number) for number in numbers])
    ]


def test_windows_of_tracks(any_store: WritableStore) -> None:
    """A track has the windows that it was added with, or none, and unknown tracks have none."""
    assert [] == any_store.windows([])
    with any_store.writer(*MODEL) as writer:
        writer.add([replace(addition(1), windows=packed(1)), addition(2)])
    assert [packed(1), None, None] == kept(any_store, 1, 2, 3)
    (found,) = any_store.windows([track_id(1)])
    assert found is not None
    np.testing.assert_array_equal(unpack_windows(packed(1)).values, found.values)
    np.testing.assert_array_equal([0.0, 3.0, 6.0], found.starts)


def test_windows_stay(any_store: WritableStore) -> None:
    """They stay when the track is written without them, as for new tags or another file, and are replaced by others."""
    with any_store.writer(*MODEL) as writer:
        writer.add([replace(addition(1), windows=packed(1))])
        writer.add([addition(1, title="New")])
        writer.add([addition(1, "/elsewhere/1.flac")])
        writer.forget([addition(1).file.path])
        assert [packed(1)] == kept(any_store, 1)
        revision = any_store.revision()
        writer.add([replace(addition(1, "/elsewhere/1.flac"), windows=packed(2, 5))])
    assert ([packed(2, 5)], revision) == (kept(any_store, 1), any_store.revision())


def test_windows_go_with_their_track(any_store: WritableStore) -> None:
    """They are removed with the track, also with its last file, and do not come back with it."""
    with any_store.writer(*MODEL) as writer:
        writer.add([replace(addition(number), windows=packed(number)) for number in (1, 2, 3)])
        writer.remove([track_id(1)])
        writer.forget([addition(2).file.path])
        assert [None, None, packed(3)] == kept(any_store, 1, 2, 3)
        writer.add([addition(1), addition(2)])
    assert [None, None, packed(3)] == kept(any_store, 1, 2, 3)
