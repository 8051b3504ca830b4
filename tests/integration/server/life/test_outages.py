"""Servers in trouble: an empty catalogue, a Redis that is away, dies or hangs, signals, too many calls."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2
from redis import Redis

from segue.client import Client, StoreUnavailableError
from segue.core.process_identity import started
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.v1 import (
    audio_pb2,
    classification_service_pb2,
    classification_service_pb2_grpc,
)
from tests.helpers.clips import Fill, wav
from tests.helpers.processes import decoder, stopped
from tests.helpers.servers import RunningServer, running_server
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import PATIENCE_SECONDS, wait_until

UNKNOWN = "0" * 32
CLASSIFYING = 'segue_requests_in_flight{method="/segue.v1.ClassificationService/Classify"}'
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Served(NamedTuple):
    """A server over three tracks."""

    running: RunningServer
    stubs: Stubs
    data: Path
    ids: list[str]

    def redis(self) -> int:
        """The process of its private Redis."""
        with open_store(self.data) as store:
            return redis_pid(store)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, fill: Fill, clips: list[Path]
) -> Iterator[Served]:
    """A server to which things happen that it overcomes."""
    data = tmp_path_factory.mktemp("served")
    ids = fill(data, clips[:3])
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        yield Served(running, Stubs(running.address), data, ids)


def test_empty_catalogue_then_tracks(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server that starts first says that the catalogue is empty, and recommends once something is indexed."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        for seed in (clips[0].read_bytes(), UNKNOWN):
            with pytest.raises(grpc.RpcError, match="segue-indexer add") as error:
                stubs.recommend(seed)
            assert ("FAILED_PRECONDITION", "CATALOGUE_EMPTY") == failure(error)[:2]
        assert health_pb2.HealthCheckResponse.SERVING == stubs.health("segue.v1.RecommendationService")
        fill(tmp_path, clips[:3])
        wait_until(lambda: 3 == stubs.status().track_count)
        assert 3 == len(stubs.recommend(clips[5].read_bytes()).recommendations)


def test_redis_that_is_not_there(tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """Without its Redis a server classifies, says what is wrong, and tells it by health."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--redis", "redis://127.0.0.1:1")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        assert stubs.classify(clips[0].read_bytes()).scores
        calls: list[Callable[[], object]] = [
            lambda: stubs.recommend(UNKNOWN),
            lambda: stubs.get_track(UNKNOWN),
            stubs.list_tracks,
        ]
        for call in calls:
            with pytest.raises(grpc.RpcError, match="Redis does not answer") as error:
                call()
            code, reason, details = failure(error)
            assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == (code, reason)
            assert "RetryInfo" in details
        assert "Redis does not answer" in stubs.status().catalogue_problem
        asked = time.monotonic()
        with Client(running.address) as client, pytest.raises(StoreUnavailableError):
            client.get_track(UNKNOWN)
        # Three retries, each a second after the one before, as the server asks; a client alone would not wait so long.
        assert 2.5 < time.monotonic() - asked
        assert health_pb2.HealthCheckResponse.SERVING == stubs.health("segue.v1.ClassificationService")
        assert health_pb2.HealthCheckResponse.NOT_SERVING == stubs.health("segue.v1.RecommendationService")


def test_a_private_redis_that_died(served: Served) -> None:
    """A private Redis that is killed under the server is started again, and nothing of the catalogue is lost."""
    died = served.redis()
    os.kill(died, signal.SIGKILL)
    wait_until(lambda: started(died) is None)
    wait_until(lambda: answers(served.stubs, served.ids[0]))
    assert 2 == len(served.stubs.recommend(served.ids[0]).recommendations)


def test_a_redis_that_hangs(served: Served, clips: list[Path]) -> None:
    """While Redis answers nothing, nobody waits for it for long, and once it answers again all is as before."""
    stubs, ids = served.stubs, served.ids
    others = tuple(sorted(ids[1:]))
    wait_until(lambda: [others, False] == recommended(stubs, ids[0]))
    with stopped(served.redis()):
        wait_until(lambda: bool(stubs.status().catalogue_problem))
        with pytest.raises(grpc.RpcError) as error:
            stubs.get_track(ids[0])
        assert ("UNAVAILABLE", "STORE_UNAVAILABLE") == failure(error)[:2]
        assert stubs.classify(clips[0].read_bytes()).scores
        assert [others, True] == recommended(stubs, ids[0])
        assert [others, True] == recommended(stubs, clips[0].read_bytes())
        assert SERVING == stubs.health("segue.v1.RecommendationService")
        assert NOT_SERVING == stubs.health("segue.v1.CatalogService")
    wait_until(lambda: answers(stubs, ids[0]))
    wait_until(lambda: [others, False] == recommended(stubs, ids[0]))


def test_sigterm_beside_a_redis_that_hangs(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """A server stops on SIGTERM also when its private Redis does not answer, and that stops when it wakes."""
    fill(tmp_path, clips[:3])
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        with open_store(tmp_path) as store:
            pid = redis_pid(store)
        with stopped(pid):
            running.process.terminate()
            assert 0 == running.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: started(pid) is None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_starting(tmp_path: Path, tiny_model: Path, number: signal.Signals) -> None:
    """A server that is told to stop before it serves leaves no Redis behind."""
    command = [sys.executable, "-m", "segue.server", "--data", str(tmp_path), "--model", str(tiny_model)]
    with subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stderr=subprocess.DEVNULL) as process:
        pid_file = tmp_path / "redis" / "redis.pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
        pid = int(pid_file.read_text())
        process.send_signal(number)
        assert 0 == process.wait(PATIENCE_SECONDS)
    wait_until(lambda: started(pid) is None)


def test_a_terminal_that_is_closed(tmp_path: Path, tiny_model: Path) -> None:
    """A server that loses its terminal ends in good order, with its private Redis."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        pid = int((tmp_path / "redis" / "redis.pid").read_text())
        running.process.send_signal(signal.SIGHUP)
        assert 0 == running.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: started(pid) is None)


def test_a_data_folder_that_vanishes(tmp_path: Path, tiny_model: Path) -> None:
    """A server whose data folder is removed goes on classifying, and still stops well."""
    data = tmp_path / "data"
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        pid = int((data / "redis" / "redis.pid").read_text())
        shutil.rmtree(data)
        assert Stubs(running.address).classify(wav(4)).scores
        running.process.terminate()
        assert 0 == running.process.wait(PATIENCE_SECONDS)
    os.kill(pid, signal.SIGTERM)


def redis_pid(store: RedisStore) -> int:
    """The process of a private Redis, as it says itself."""
    with Redis(unix_socket_path=store.address.removeprefix("unix://")) as client:
        return int(client.info("server")["process_id"])


def recommended(stubs: Stubs, seed: bytes | str) -> list[object]:
    """Which tracks are recommended, in the order of their ids, and whether the answer is stale."""
    answer = stubs.recommend(seed)
    return [tuple(sorted(found.track.track_id for found in answer.recommendations)), answer.revision.stale]


def answers(stubs: Stubs, track_id: str) -> bool:
    """Whether the server can read a track."""
    try:
        return bool(stubs.get_track(track_id).track.title)
    except grpc.RpcError:
        return False


def refused(*options: str) -> str:
    """What a server that will not start says before it exits with 1."""
    ended = subprocess.run(
        [sys.executable, "-m", "segue.server", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 1 == ended.returncode
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_no_model(tmp_path: Path) -> None:
    """A folder without a model is named."""
    assert f"no model in {tmp_path}" in refused(
        "--data", str(tmp_path), "--model", str(tmp_path), "--listen", "127.0.0.1:0"
    )


def test_port_taken(served: Served, tmp_path: Path, tiny_model: Path) -> None:
    """A port that another server has is named."""
    taken = served.running.address
    for when in ((), ("--listen-when-ready",)):
        options = ("--data", str(tmp_path), "--model", str(tiny_model), *when)
        assert f"Cannot listen on {taken}" in refused("--listen", taken, *options)


def test_catalogue_of_another_model(tmp_path: Path, tiny_model: Path) -> None:
    """A catalogue that another model made is refused at the start, with both names."""
    with open_store(tmp_path) as store, store.writer("other-12345678", "f" * 16, 8):
        pass
    said = refused("--data", str(tmp_path), "--model", str(tiny_model), "--listen", "127.0.0.1:0")
    assert "other-12345678" in said
    assert "tiny-" in said
    assert "f" * 16 in said


def test_overloaded(tmp_path: Path, tiny_model: Path) -> None:
    """One piece more than may wait is refused at once, a stream before it has sent any, with the time to try again."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--workers", "1", "--queue-seconds", "100")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(49, rate=44_100)))
        with stopped(decoder(running.process.pid)):
            calls = [service.Classify.future(request, timeout=PATIENCE_SECONDS) for _ in range(12)]
            wait_until(lambda: 10 == sum(call.done() for call in calls))
            full = [call for call in calls if call.done()]
            for call in (*full, service.StreamingClassify(silent(), timeout=PATIENCE_SECONDS)):
                assert_overloaded(call)
        assert 2 == [call.code() for call in calls].count(grpc.StatusCode.OK)
        assert stubs.classify(wav(5)).scores


def assert_overloaded(call: Any) -> None:  # noqa: ANN401 - grpc has no name for a call that can be waited for
    """Asserts that a call is refused, and told when to come again."""
    with pytest.raises(grpc.RpcError) as error:
        call.result()
    code, reason, details = failure(error)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED", True) == (code, reason, "RetryInfo" in details)


def silent() -> Iterator[classification_service_pb2.StreamingClassifyRequest]:
    """A caller that says nothing for a while."""
    time.sleep(5)
    yield from ()


def test_sigterm_finishes_what_is_under_way(tmp_path: Path, tiny_model: Path) -> None:
    """After SIGTERM a call under way is answered, and the server exits with 0."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--grace", str(PATIENCE_SECONDS))
    with running_server(*options, "--metrics-listen", "127.0.0.1:0") as running:
        service = classification_service_pb2_grpc.ClassificationServiceStub(Stubs(running.address).channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(50, rate=44_100)))
        with stopped(decoder(running.process.pid)):
            call = service.Classify.future(request, timeout=PATIENCE_SECONDS)
            wait_until(lambda: 1 == running.metrics().get(CLASSIFYING))
            running.process.terminate()
            assert running.process.stderr is not None
            assert any("stopping" in line for line in running.process.stderr)
        assert call.result().scores
        assert 0 == running.process.wait(PATIENCE_SECONDS)
