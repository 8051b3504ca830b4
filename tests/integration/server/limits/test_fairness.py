"""Several callers of one server: their turns, and the quotas of their tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from google.rpc.error_details_pb2 import QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from segue.client import Client, Credentials, QuotaExceededError
from segue.server.callers.quota import Quotas
from segue.server.security.tokens import SCOPES, new_token
from segue.v1 import classification_service_pb2_grpc
from segue.v1.audio_pb2 import Audio
from segue.v1.classification_service_pb2 import ClassifyRequest
from tests.helpers.clips import wav
from tests.helpers.machine.processes import decoder, stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import RunningServer, running_server

CLASSIFY = "/segue.v1.ClassificationService/Classify"
QUOTAS = {
    "greedy": Quotas(),
    "polite": Quotas(),
    "slow": Quotas(rate=0.01),
    "alone": Quotas(concurrency=1),
    "brief": Quotas(seconds_of_audio=15),
}


class Shared(NamedTuple):
    """A server with one worker process, and tokens.

    Attributes:
        running: the server.
        tokens: the tokens, by name.
    """

    running: RunningServer
    tokens: dict[str, str]

    def client(self, name: str, timeout: float = PATIENCE_SECONDS) -> Client:
        """A client with a token."""
        return Client(self.running.address, credentials=Credentials(token=self.tokens[name]), timeout=timeout)

    def value(self, metric: str) -> float:
        """The value of a metric."""
        return self.running.metrics().get(metric, 0.0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Shared]:
    """A running server, whose queue has space for 30 short clips."""
    folder = tmp_path_factory.mktemp("shared")
    made = {name: new_token(name, list(SCOPES), quotas) for name, quotas in QUOTAS.items()}
    (folder / "tokens.toml").write_text("".join(f"{grant.line}\n" for _, grant in made.values()))
    options = ("--data", str(folder), "--model", str(tiny_model), "--tokens", str(folder / "tokens.toml"))
    limits = ("--workers", "1", "--queue-seconds", "300", "--metrics-listen", "127.0.0.1:0")
    with running_server(*options, *limits) as running:
        yield Shared(running, {name: token for name, (token, _) in made.items()})


def test_callers_take_turns(shared: Shared) -> None:
    """A call of one caller overtakes the queued calls of another, and finds space in a queue that the other fills."""
    order: list[str] = []
    lock = threading.Lock()

    def classify(name: str) -> None:
        with shared.client(name, timeout=5 * PATIENCE_SECONDS) as client:
            client.classify(wav(9))
        with lock:
            order.append(name)

    with ThreadPoolExecutor(41) as threads, stopped(decoder(shared.running.process.pid)):
        calls = [threads.submit(classify, "greedy") for _ in range(40)]
        # Four fifths of the queue are the share of one caller; its other calls are sent again later.
        wait_until(lambda: 1 <= shared.value('segue_failures_total{reason="OVERLOADED"}'))
        wait_until(lambda: 230 <= shared.value("segue_queue_audio_seconds"))
        calls.append(threads.submit(classify, "polite"))
        wait_until(lambda: 240 <= shared.value("segue_queue_audio_seconds"))
    for call in calls:
        call.result()
    assert 4 >= order.index("polite")


def test_the_rate(shared: Shared) -> None:
    """A call above the rate of its token is refused with the seconds until the next, and counted."""
    with shared.client("slow", timeout=5) as client:
        client.status()
        with pytest.raises(QuotaExceededError, match="Token slow has reached its quota rate") as raised:
            client.status()
    assert 99 < (raised.value.retry_after or 0) <= 100
    assert 1 == shared.value('segue_quota_exceeded_total{quota="rate",token="slow"}')


def test_the_concurrency(shared: Shared) -> None:
    """A second call at once waits in the client until the first has ended."""
    metric = 'segue_quota_exceeded_total{quota="concurrency",token="alone"}'
    with ThreadPoolExecutor(1) as threads, shared.client("alone") as client:
        with stopped(decoder(shared.running.process.pid)):
            first = threads.submit(client.classify, wav(9))
            wait_until(lambda: 1 <= shared.value(f'segue_requests_in_flight{{method="{CLASSIFY}"}}'))
            with shared.client("alone", timeout=0.5) as other, pytest.raises(QuotaExceededError, match="1 calls are"):
                other.status()
        assert first.result().scores
        assert client.status().server_version
    assert 1 <= shared.value(metric)


def test_seconds_of_audio(shared: Shared) -> None:
    """A clip above the seconds of audio of its token is refused before its message is read, with details."""
    metadata = (("authorization", f"Bearer {shared.tokens['brief']}"),)
    with grpc.insecure_channel(shared.running.address, [("grpc.max_send_message_length", -1)]) as channel:
        stub = classification_service_pb2_grpc.ClassificationServiceStub(channel)
        assert stub.Classify(ClassifyRequest(audio=Audio(content=wav(9))), metadata=metadata).scores
        # gRPC would refuse a message of this size if it were read.
        with pytest.raises(grpc.RpcError) as raised:
            stub.Classify(ClassifyRequest(audio=Audio(content=bytes(40 * 2**20))), metadata=metadata)
    assert isinstance(raised.value, grpc.Call)
    trailing = {str(key): value for key, value in raised.value.trailing_metadata() or ()}
    details = {packed.TypeName(): packed for packed in Status.FromString(trailing["grpc-status-details-bin"]).details}
    failure = QuotaFailure.FromString(details["google.rpc.QuotaFailure"].value)
    retry = RetryInfo.FromString(details["google.rpc.RetryInfo"].value).retry_delay.ToTimedelta().total_seconds()
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "token:brief") == (raised.value.code(), failure.violations[0].subject)
    assert 1_100 < retry <= 1_200  # 5 s at 15 s an hour
    assert retry == pytest.approx(int(trailing["grpc-retry-pushback-ms"]) / 1_000, abs=0.01)
    assert 10 == shared.value('segue_quota_audio_seconds_total{token="brief"}')
