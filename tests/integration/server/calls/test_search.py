"""Search by words in a server over a catalogue of invented tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.v1.catalog_service_pb2 import SearchTracksResponse
from tests.helpers.catalogue.tracks import addition, track_id
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure, is_started

TITLES = ["Jóga", "So What", "Blue in Green", "Blue Train", "Blue"]


@pytest.fixture(scope="module")
def search_data(tmp_path_factory: pytest.TempPathFactory, loaded_tiny_model: Model) -> Path:
    """The data folder of a catalogue with these titles, and fifty numbered tracks."""
    data = tmp_path_factory.mktemp("search")
    key = loaded_tiny_model.manifest.key
    named = [addition(number, title=title, width=key.width) for number, title in enumerate(TITLES)]
    others = [addition(number, title=f"Number {number}", width=key.width) for number in range(100, 150)]
    others = [replace(other, track=replace(other.track, artist="Miles Away", album="Blue")) for other in others]
    with open_store(data) as store, store.writer(*key) as writer:
        writer.add([*named, *others])
    return data


@pytest.fixture(scope="module")
def stubs(search_data: Path, tiny_model: Path) -> Iterator[Stubs]:
    """Calls to a server that has read all texts."""
    with running_server("--data", str(search_data), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        wait_until(lambda: is_started(lambda: stubs.search("blue")))
        yield stubs


def titles(page: SearchTracksResponse) -> list[str]:
    """The titles of a page."""
    return [track.title for track in page.tracks]


def test_search(stubs: Stubs) -> None:
    """Tracks are found by all words of a query, whatever their case and accents, the best matches first."""
    assert ["Jóga"] == titles(stubs.search("JOGA"))
    response = stubs.search("blue", page_size=5)
    assert ["Blue in Green", "Blue Train", "Blue", "Number 100", "Number 101"] == titles(response)
    assert (53, 55) == (response.match_count, response.revision.catalogue_revision)
    assert ["Blue Train"] == titles(stubs.search("train /MUSIC/1/3.flac"))
    assert ([], 0, "") == (titles(empty := stubs.search("blue nothing")), empty.match_count, empty.next_page_token)


def test_pages_of_a_search(stubs: Stubs) -> None:
    """The pages together have every match once, the best first."""
    found: list[str] = []
    token = ""
    while True:
        page = stubs.search("miles blue", 20, token)
        found += titles(page)
        token = page.next_page_token
        if not token:
            break
    assert [f"Number {number}" for number in range(100, 150)] == found


@pytest.mark.parametrize(
    ("query", "size", "token"),
    [
        ("", 0, ""),
        (" \n\N{COMBINING ACUTE ACCENT}", 0, ""),
        ("x" * 257, 0, ""),
        (" ".join(map(str, range(17))), 0, ""),
        ("blue", -1, ""),
        ("blue", 0, "not ours"),
        ("blue", 0, "MCAw"),
    ],
)
def test_invalid_searches(stubs: Stubs, query: str, size: int, token: str) -> None:
    """A query without words, with too many, a negative size and a made-up token are errors."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.search(query, size, token)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(error)[:2]


def test_the_token_of_a_listing(stubs: Stubs) -> None:
    """A page token of ListTracks is no token of a search."""
    token = stubs.list_tracks(page_size=1).next_page_token
    with pytest.raises(grpc.RpcError, match="page_token is not from this service"):
        stubs.search("blue", 0, token)


def test_changes(stubs: Stubs, search_data: Path, loaded_tiny_model: Model) -> None:
    """A track is found soon after it is added, under its new title soon after that is changed, and not once removed."""
    key = loaded_tiny_model.manifest.key
    with open_store(search_data) as store:
        with store.writer(*key) as writer:
            writer.add([addition(900, title="Brand new", width=key.width)])
        wait_until(lambda: ["Brand new"] == titles(stubs.search("brand")))
        with store.writer(*key) as writer:
            writer.add([addition(900, title="Renamed", width=key.width)])
        wait_until(lambda: ["Renamed"] == titles(stubs.search("renamed")))
        with store.writer(*key) as writer:
            writer.remove([track_id(900)])
        wait_until(lambda: 0 == stubs.search("renamed").match_count)
