"""A real server process over a real catalogue."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import soundfile
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.core.audio.track_id import track_id
from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.features.extract import extract
from segue.core.index.snapshot import publish
from segue.core.model.saved_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from segue.v1 import (
    audio_pb2,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    classification_service_pb2,
    classification_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)
from segue.v1.classification_service_pb2 import StreamingClassifyRequest
from segue.v1.recommendation_service_pb2 import StreamingRecommendRequest
from tests.helpers.processes import ended


class Running(NamedTuple):
    """A server process that answers at ``address``, and what it said until then."""

    address: str
    process: subprocess.Popen[str]
    said: str

    def figures(self) -> dict[str, float]:
        """All that a server with --metrics-listen has counted, by full names; a call is when it has ended there."""
        found = re.search(r"metrics at ([^\s\"]+)", self.said)
        assert found
        with urllib.request.urlopen(found[1]) as page:  # noqa: S310 - our own server's address
            lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class Starting:
    """A server process that was started a moment ago."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.listens = False
        self.said = ""

    def opened(self) -> str:
        """Waits until the port is open, and answers its address."""
        return self._said(r"the port (\S+) is open")

    def listening(self) -> str:
        """Waits until everything is loaded, and answers the address."""
        address = self._said(r"listening on (\S+)")
        self.listens = True
        return address

    def _said(self, pattern: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(pattern, line):
                return found[1]
        pytest.fail("the server did not start:\n" + self.said)


@contextmanager
def starting_server(*options: str) -> Iterator[Starting]:
    """Starts segue-server on a free port, and ends it by SIGTERM."""
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", *options]
    # Few tests read what it logs, and it would stop where nothing more goes into the pipe.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, pipesize=2**20) as process:
        try:
            yield Starting(process)
        finally:
            ended(process)


@contextmanager
def running_server(*options: str) -> Iterator[Running]:
    """A server that has loaded everything."""
    with starting_server(*options) as starting:
        yield Running(starting.listening(), starting.process, starting.said)


@pytest.fixture(scope="session")
def loaded_tiny_model(tiny_model: Path) -> Model:
    """The tiny network, loaded once."""
    return Model.load(tiny_model)


Fill = Callable[[Path, Sequence[Path]], list[str]]


@pytest.fixture(scope="session")
def fill(loaded_tiny_model: Model) -> Fill:
    """What writes clips to the catalogue in a data folder, as the indexer does, and answers their ids."""

    def write(data: Path, clips: Sequence[Path]) -> list[str]:
        additions = [addition(loaded_tiny_model, clip) for clip in clips]
        manifest = loaded_tiny_model.manifest
        with open_store(data) as store:
            with store.writer(*manifest.key) as writer:
                writer.add(additions)
            publish(data, store)
        return [addition.track.track_id for addition in additions]

    return write


def addition(model: Model, clip: Path) -> Addition:
    """Everything that the catalogue holds of a clip."""
    piece = extract(clip, model.manifest.features, model.manifest.windows)
    (heard,) = model.predict([piece.windows])
    name = track_id(memoryview(clip.read_bytes()))
    genre = model.manifest.labels[int(heard.posterior.argmax())]
    track = Track(name, title=clip.stem, genre=genre, seconds=piece.seconds, path=str(clip))
    return Addition(track, heard.embedding, PathRecord(str(clip), clip.stat().st_size, clip.stat().st_mtime_ns, name))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a catalogue."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def ids(data: Path, fill: Fill, clips: list[Path]) -> list[str]:
    """The tracks of the catalogue: twenty clips."""
    return fill(data, clips)


@pytest.fixture(scope="session")
def server(data: Path, ids: list[str], tiny_model: Path) -> Iterator[Running]:
    """A server over the twenty clips, for all who leave it as it was."""
    options = ("--data", str(data), "--model", str(tiny_model), "--metrics-listen", "127.0.0.1:0")
    with running_server(*options) as running:
        yield running


@pytest.fixture(scope="session")
def stubs(server: Running) -> Stubs:
    """What calls the server."""
    return Stubs(server.address)


UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Stubs:
    """Every service of a server."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, UNLIMITED)
        self._classification = classification_service_pb2_grpc.ClassificationServiceStub(self.channel)
        self._recommendation = recommendation_service_pb2_grpc.RecommendationServiceStub(self.channel)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self._health = health_pb2_grpc.HealthStub(self.channel)

    def classify(
        self, content: bytes, top_k: int | None = None, read_mask: Sequence[str] = ()
    ) -> classification_service_pb2.ClassifyResponse:
        """Classifies the bytes of a file."""
        request = classification_service_pb2.ClassifyRequest(
            audio=audio_pb2.Audio(content=content), top_k=top_k, read_mask=FieldMask(paths=read_mask)
        )
        return self._classification.Classify(request, timeout=60)

    def streaming_classify(self, requests: Iterable[StreamingClassifyRequest]) -> Any:  # noqa: ANN401 - an iterator that is a call too
        """Classifies what comes in parts."""
        return self._classification.StreamingClassify(iter(requests), timeout=120)

    def recommend(
        self, seed: bytes | str, limit: int | None = None, read_mask: Sequence[str] = ()
    ) -> recommendation_service_pb2.RecommendResponse:
        """Recommends for the bytes of a file or for a track id."""
        request = recommendation_service_pb2.RecommendRequest(limit=limit, read_mask=FieldMask(paths=read_mask))
        if isinstance(seed, bytes):
            request.audio.content = seed
        else:
            request.track_id = seed
        return self._recommendation.Recommend(request, timeout=60)

    def streaming_recommend(self, requests: Iterable[StreamingRecommendRequest]) -> Any:  # noqa: ANN401 - likewise
        """Recommends for each of many."""
        return self._recommendation.StreamingRecommend(iter(requests), timeout=120)

    def get_track(self, track_id: str) -> catalog_service_pb2.GetTrackResponse:
        """Reads a track."""
        return self._catalog.GetTrack(catalog_service_pb2.GetTrackRequest(track_id=track_id), timeout=60)

    def list_tracks(self, page_size: int = 0, page_token: str = "") -> catalog_service_pb2.ListTracksResponse:
        """Reads a page of the catalogue."""
        request = catalog_service_pb2.ListTracksRequest(page_size=page_size, page_token=page_token)
        return self._catalog.ListTracks(request, timeout=60)

    def status(self) -> catalog_service_pb2.GetStatusResponse:
        """Reads the state of the server."""
        return self._catalog.GetStatus(catalog_service_pb2.GetStatusRequest(), timeout=60)

    def health(self, service: str) -> int:
        """Asks for the health of a service."""
        return int(self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status)


def failure(call: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str, dict[str, object]]:
    """The code, the reason and the other details of a failed call."""
    error = call.value
    assert isinstance(error, grpc.Call)
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    kinds = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
    )
    details: dict[str, object] = {}
    for packed in status.details:
        for kind in kinds:
            if packed.Is(kind.DESCRIPTOR):
                details[kind.__name__] = kind.FromString(packed.value)
    info = details["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert "segue.v1" == info.domain
    assert trailing["x-request-id"] == info.metadata["request_id"]
    return error.code().name, info.reason, details


def wav(seconds: float, gain: float = 1.0, rate: int = 22_050) -> bytes:
    """A rendered clip as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, gain * render_clip(1, seconds, rate), rate, format="WAV", subtype="FLOAT")
    return file.getvalue()
