from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.core.features.windows import spread_starts
from segue.trainer.accurate.tags import genre_of, read_tags, save_tags
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import DataUnusable

Write = Callable[..., Path]


@pytest.fixture
def write_tags(tmp_path: Path) -> Write:
    """A function that writes 50 tags of 4 windows of two tracks; a keyword replaces a field, None leaves it out."""

    def write(**fields: Any) -> Path:  # noqa: ANN401 - any field of an npz
        tags = np.linspace(0, 1, 400, dtype=np.float32).reshape(8, 50)
        whole = {"tags": tags, "track": np.repeat(["rock.00001", "blues.00000"], 4)} | fields
        path = tmp_path / "tags.npz"
        np.savez_compressed(path, **{name: field for name, field in whole.items() if field is not None})
        return path

    return write


def test_tags_are_read_back(tmp_path: Path) -> None:
    """Tracks are in the order of their names, each with its windows in their order."""
    random = np.random.default_rng(0)
    tracks = [
        TaggedTrack(name, name.split(".")[0], random.random((windows, 50), np.float32))
        for name, windows in (("rock.00001", 3), ("blues.00000", 1), ("jazz.00002", 10))
    ]
    save_tags(tmp_path / "deep" / "tags.npz", tracks)
    read = read_tags(tmp_path / "deep" / "tags.npz")
    assert ["blues.00000", "jazz.00002", "rock.00001"] == [track.track for track in read]
    for expected, actual in zip(sorted(tracks, key=lambda track: track.track), read, strict=True):
        assert expected.genre == actual.genre
        assert np.array_equal(expected.tags, actual.tags)


def test_windows_of_tracks_may_alternate(write_tags: Write) -> None:
    """A track's windows keep their order, also if those of other tracks are between them."""
    tags = np.linspace(0, 1, 400, dtype=np.float32).reshape(8, 50)
    blues, rock = read_tags(write_tags(track=np.array(["rock.00001", "blues.00000"] * 4)))
    assert np.array_equal(tags[1::2], blues.tags)
    assert np.array_equal(tags[0::2], rock.tags)


@pytest.mark.parametrize(
    ("windows", "max_windows", "selected"),
    [(29, 5, [0, 7, 14, 21, 28]), (10, 5, [0, 2, 4, 7, 9]), (5, 5, [0, 1, 2, 3, 4]), (2, 5, [0, 1]), (1, 3, [0])],
)
def test_windows_are_spread_over_the_clip(windows: int, max_windows: int, selected: list[int]) -> None:
    """Of five, the first and the last window are selected, and none twice."""
    assert selected == numbered(windows).spread(max_windows).tags[:, 0].tolist()


@pytest.mark.parametrize("max_windows", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("hop", [187, 61], ids=["side by side", "a second apart"])
def test_the_windows_are_those_of_the_server(hop: int, max_windows: int) -> None:
    """None is more than half a hop from the window that is extracted from the audio of the same clip of 30 s."""
    columns = 10 * 187
    selected = hop * numbered((columns - 187) // hop + 1).spread(max_windows).tags[:, 0]
    # A clip of a whole number of windows ends up to one hop after the last of them.
    np.testing.assert_allclose(spread_starts(columns, 187, max_windows), selected, atol=hop / 2 + 36)


def test_the_layer_is_spread_as_the_tags(tmp_path: Path) -> None:
    """A track's layer has the same windows as its tags, also when it comes from a file."""
    tags = np.linspace(0, 1, 500, dtype=np.float32).reshape(10, 50)
    layer = np.repeat(np.arange(10, dtype=np.float32)[:, None], 200, 1)
    tracks = [TaggedTrack("rock.0", "rock", tags, layer), TaggedTrack("a.0", "a", tags, -layer)]
    save_tags(tmp_path / "tags.npz", tracks)
    for track, sign in zip(read_tags(tmp_path / "tags.npz"), (-1, 1), strict=True):
        spread = track.spread(3)
        assert spread.layer is not None
        assert [sign, 4 * sign, 8 * sign] == spread.layer[:, 199].tolist()
        assert np.array_equal(tags[[1, 4, 8]], spread.tags)


def test_a_file_has_the_layer_of_all_tracks_or_of_none(tmp_path: Path) -> None:
    """If the layer of one track is not known, all tracks have tags alone."""
    with_layer = TaggedTrack("b.0", "b", np.zeros((1, 50), np.float32), np.ones((1, 200), np.float32))
    save_tags(tmp_path / "tags.npz", [with_layer, numbered(1)])
    assert [None, None] == [track.layer for track in read_tags(tmp_path / "tags.npz")]


def numbered(windows: int) -> TaggedTrack:
    """A track whose tags are the numbers of its windows."""
    return TaggedTrack("a.0", "a", np.repeat(np.arange(windows, dtype=np.float32)[:, None], 50, 1))


@pytest.mark.parametrize(
    ("track", "genre"),
    [("blues.00000", "blues"), ("drum.n.bass.00001", "drum.n.bass"), ("blues/an album/a.song.mp3", "blues")],
)
def test_the_genre_in_a_name(track: str, genre: str) -> None:
    """GTZAN's names and paths both have it."""
    assert genre == genre_of(track)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tags": None}, "lacks tags or track"),
        ({"track": None}, "lacks tags or track"),
        ({"tags": np.zeros((8, 49), np.float32)}, "49 tags for each window, not 50"),
        ({"tags": np.zeros(8, np.float32)}, "shape"),
        ({"tags": np.zeros((8, 50), np.int64)}, "shape"),
        ({"tags": np.zeros((8, 50), np.complex64)}, "shape"),
        ({"track": np.array("rock.00001")}, "shape"),
        ({"track": np.array(["rock.00001"])}, "shape"),
        ({"track": np.arange(8)}, "not text"),
        ({"tags": np.zeros((0, 50), np.float32), "track": np.array([], "<U1")}, "has no tracks"),
        ({"tags": np.full((8, 50), np.nan, np.float32)}, r"not numbers in \[0, 1\]"),
        ({"tags": np.full((8, 50), 1.01, np.float32)}, r"not numbers in \[0, 1\]"),
        ({"tags": np.full((8, 50), -0.01, np.float32)}, r"not numbers in \[0, 1\]"),
        ({"layer": np.zeros((8, 199), np.float32)}, "a layer of 199 numbers, not 200"),
        ({"layer": np.zeros((7, 200), np.float32)}, "shape"),
        ({"layer": np.zeros((8, 200), np.int64)}, "shape"),
        ({"layer": np.zeros(8, np.float32)}, "shape"),
        ({"layer": np.full((8, 200), np.inf, np.float32)}, "not of finite numbers"),
        ({"track": np.array(["rock\t1.00001"] * 8)}, "a tab"),
        ({"track": np.array([""] * 8)}, "is empty"),
        ({"track": np.array([".00001"] * 8)}, "without a genre"),
        ({"track": np.array([{"a": 1}] * 8)}, "is not a file of tags"),
    ],
)
def test_fields_that_are_not_tags_are_refused(write_tags: Write, fields: dict[str, Any], message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(DataUnusable, match=message):
        read_tags(write_tags(**fields))


def test_a_damaged_file_is_refused_or_read_unchanged(write_tags: Write) -> None:
    """A file that was cut off or changed at any byte raises no other error."""
    path = write_tags()
    whole, tracks = path.read_bytes(), read_tags(path)
    changed = [whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :] for place in range(len(whole))]
    contents = [whole[: len(whole) // 2], whole[:-1], b"", b"no archive", *changed]
    read = []
    for content in contents:
        path.write_bytes(content)
        with suppress(DataUnusable):
            read.append(read_tags(path))
    for reread in read:
        assert all(np.array_equal(one.tags, other.tags) for one, other in zip(tracks, reread, strict=True))
    assert len(read) < len(contents) / 5


@pytest.mark.parametrize("make", [Path.mkdir, None])
def test_a_folder_or_a_missing_file_is_not_a_file_of_tags(tmp_path: Path, make: Callable[[Path], None] | None) -> None:
    """The message says how to make one."""
    if make:
        make(tmp_path / "tags.npz")
    with pytest.raises(DataUnusable, match="segue-trainer tag"):
        read_tags(tmp_path / "tags.npz")


def test_a_single_array_is_not_a_file_of_tags(tmp_path: Path) -> None:
    """np.save writes another format."""
    with (tmp_path / "tags.npz").open("wb") as file:
        np.save(file, np.zeros((8, 50), np.float32))
    with pytest.raises(DataUnusable, match="is not a file of tags"):
        read_tags(tmp_path / "tags.npz")


@pytest.mark.parametrize("name", ["rock/caf\udce9.mp3", "rock/a\tb.mp3", "rock/end.mp3 "])
def test_a_name_that_cannot_be_saved_is_not_written(tmp_path: Path, name: str) -> None:
    """train-accurate would refuse the file."""
    with pytest.raises(DataUnusable, match="cannot be saved"):
        save_tags(tmp_path / "tags.npz", [TaggedTrack(name, "rock", np.zeros((1, 50), np.float32))])
    assert [] == list(tmp_path.iterdir())
