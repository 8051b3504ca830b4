"""A server and an indexer while a replica takes over from the primary."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from segue.core.errors import CatalogueLocked
from segue.core.model.artifact import read_manifest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse, Variety
from tests.helpers.catalogue.failover import Server, Watched, cut_link, replicated, wait_for_copy, watched
from tests.helpers.catalogue.tracks import addition, additions, track_id
from tests.helpers.indexer import PROGRAM, run, run_json, write_library
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import RunningServer, run_doctor, running_server
from tests.helpers.server.stubs import Stubs


class Setup(NamedTuple):
    """A server over three tracks in a Redis that Sentinels watch.

    Attributes:
        servers: the Redis servers.
        running: the server.
        stubs: calls to it.
        store: the catalogue.
        key: the key of its model.
    """

    servers: Watched
    running: RunningServer
    stubs: Stubs
    store: RedisStore
    key: tuple[str, str, int]

    def found(self, seed: int = 1) -> tuple[list[str], bool]:
        """Returns the ids of the recommended tracks in order, and True if they are stale."""
        response = all_recommended(self.stubs, seed)
        ids = sorted(recommendation.track.track_id for recommendation in response.recommendations)
        return ids, response.revision.stale

    def found_if_served(self) -> tuple[list[str], bool] | None:
        """Returns what ``found`` does, or None while the server waits for the new primary."""
        try:
            return self.found()
        except grpc.RpcError:
            return None

    def write(self, *numbers: int) -> int:
        """Adds tracks, and returns the revision."""
        with self.store.writer(*self.key) as writer:
            return writer.add(additions(*numbers, width=self.key[2]))


def ids_of(*numbers: int) -> list[str]:
    """Returns the ids of tracks."""
    return [track_id(number) for number in numbers]


def all_recommended(stubs: Stubs, seed: int) -> RecommendResponse:
    """Recommends all other tracks: an answer has two by the same artists by default, as all of these are."""
    request = RecommendRequest(track_id=track_id(seed), limit=50, variety=Variety(max_per_artist=0))
    return stubs.send_recommend(request)


@pytest.fixture
def setup(tmp_path: Path, tiny_model: Path) -> Iterator[Setup]:
    """A server that serves tracks 1, 2 and 3, which the replica has as well."""
    key = read_manifest(tiny_model).key
    with watched(tmp_path / "redis") as servers, open_store(tmp_path / "data", servers.url) as store:
        options = ("--data", str(tmp_path / "data"), "--model", str(tiny_model), "--redis", servers.url)
        with running_server(*options) as running:
            setup = Setup(servers, running, Stubs(running.address), store, key)
            setup.write(1, 2, 3)
            wait_for_copy(servers.primary, servers.replica)
            wait_until(lambda: 3 == setup.stubs.status().track_count)
            wait_until(lambda: (ids_of(2, 3), False) == setup.found())
            yield setup


def test_a_server_goes_on(setup: Setup) -> None:
    """It answers all the time, from memory while there is no primary, and then from the new one."""
    seen = set[bool]()
    setup.servers.primary.kill()

    def is_stale() -> bool:
        ids, stale = setup.found()
        assert ids_of(2, 3) == ids
        seen.add(stale)
        return stale

    wait_until(is_stale)
    setup.servers.wait_for_promotion()
    wait_until(lambda: not is_stale())
    assert {True, False} == seen
    setup.write(4)
    wait_until(lambda: (ids_of(2, 3, 4), False) == setup.found())


@pytest.mark.parametrize("later", [(), (6,), (6, 7, 8)], ids=["behind", "equal", "ahead"])
def test_last_writes_that_the_replica_lacks(setup: Setup, later: tuple[int, ...]) -> None:
    """They are in no answer any more, whether the new primary has fewer, as many or more events by then."""
    cut_link(setup.servers.primary, setup.servers.replica)
    assert 4 == setup.write(5)
    wait_until(lambda: (ids_of(2, 3, 5), False) == setup.found())
    setup.servers.lose_primary()
    if later:
        assert 3 + len(later) == setup.write(*later)
    wait_until(lambda: (ids_of(2, 3, *later), False) == setup.found_if_served())
    assert 3 + len(later) == setup.stubs.status().track_count


def test_a_writer_whose_writes_were_lost(setup: Setup) -> None:
    """Its next write fails with a sentence, and the next run can write."""
    with setup.store.writer(*setup.key) as writer:
        writer.add([addition(4, width=setup.key[2])])
        wait_for_copy(setup.servers.primary, setup.servers.replica)
        cut_link(setup.servers.primary, setup.servers.replica)
        writer.add([addition(5, width=setup.key[2])])
        setup.servers.lose_primary()
        with pytest.raises(CatalogueLocked, match=r"lacks the last writes of this run.*Run the same command again"):
            writer.add([addition(6, width=setup.key[2])])
    assert 5 == setup.write(5)


def test_a_lock_that_the_replica_lacks(setup: Setup, tmp_path: Path) -> None:
    """Of two writers with the same number, one on each side of the failover, only the later one can write."""
    cut_link(setup.servers.primary, setup.servers.replica)
    with setup.store.writer(*setup.key) as lost, open_store(tmp_path / "other", setup.servers.url) as other:
        setup.servers.lose_primary()
        with other.writer(*setup.key) as writer:
            with pytest.raises(CatalogueLocked, match=r"has lost its lock.*a replica took over"):
                lost.add([addition(5, width=setup.key[2])])
            assert 4 == writer.add([addition(6, width=setup.key[2])])
    assert [*ids_of(1, 2, 3, 6)] == setup.store.track_ids("", 10)


def test_an_indexer_in_the_middle_of_its_run(tmp_path: Path, tiny_model: Path) -> None:
    """It goes on or ends with one sentence; the next run indexes what is missing, and nothing is wrong."""
    music = write_library(tmp_path / "music", 60, seconds=3.0)
    options = ("--data", str(tmp_path / "data"), "--model", str(tiny_model))
    with watched(tmp_path / "redis") as servers, open_store(tmp_path / "other", servers.url) as store:
        where = ("--redis", servers.url, *options)
        with subprocess.Popen([*PROGRAM, "add", str(music), *where], stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: store.count() > 0 or process.poll() is not None)
            servers.lose_primary()
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in errors
        assert 0 == process.returncode or "segue-indexer: The " in errors, errors
        ended = run("add", music, *where)
        assert 0 == ended.exit_code, ended.output
        assert 60 == run_json("status", "--data", tmp_path / "data", "--redis", servers.url)["tracks"]
        assert 0 == run("verify", "--data", tmp_path / "data", "--redis", servers.url).exit_code


def test_a_replica_without_sentinels(tmp_path: Path, tiny_model: Path) -> None:
    """A server reads from it, warns that it may lag, and follows it; the indexer is refused with a sentence."""
    key = read_manifest(tiny_model).key
    with replicated(tmp_path) as (primary, replica), open_store(tmp_path / "data", primary.url) as store:
        add = adder(store, key)
        add(1, 2)
        wait_for_copy(primary, replica)
        options = ("--data", str(tmp_path / "other"), "--model", str(tiny_model), "--redis", replica.url)
        with running_server(*options) as running:
            assert f"is a replica of 127.0.0.1:{primary.port}, and may lag" in running.log
            stubs = Stubs(running.address)
            assert 2 == stubs.status().track_count
            add(3)
            wait_until(lambda: 3 == stubs.status().track_count)
            lags_without_a_wrong_answer(stubs, primary, replica, add)
        _, results = run_doctor(*options, "--listen", "127.0.0.1:0")
        assert ("warn", True) == (results["role"].level, "does not reach" in results["role"].text)
        ended = run("remove", track_id(1), *options[:2], "--redis", replica.url)
        assert (1, True) == (ended.exit_code, "is a replica and cannot be written" in ended.stderr), ended.stderr


def adder(store: RedisStore, key: tuple[str, str, int]) -> Callable[..., None]:
    """Returns a function that adds tracks."""

    def add(*numbers: int) -> None:
        with store.writer(*key) as writer:
            writer.add(additions(*numbers, width=key[2]))

    return add


def lags_without_a_wrong_answer(stubs: Stubs, primary: Server, replica: Server, add: Callable[..., None]) -> None:
    """Checks that a server on a replica without a link answers from the older state, and completely."""
    cut_link(primary, replica)
    add(4)
    response = all_recommended(stubs, 1)
    assert ids_of(2, 3) == sorted(each.track.track_id for each in response.recommendations)
    assert (3, False) == (response.revision.catalogue_revision, response.revision.stale)
