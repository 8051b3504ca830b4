"""Every call of the contract, described once for both kinds of client."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from segue.client._error_mapping import from_rpc_error
from segue.client.credentials import Credentials
from segue.client.errors import AudioTooLongError, AudioUnreadableError
from segue.v1.audio_pb2 import Audio
from segue.v1.catalog_service_pb2 import (
    GetStatusRequest,
    GetStatusResponse,
    GetTrackRequest,
    GetTrackResponse,
    ListTracksRequest,
    ListTracksResponse,
)
from segue.v1.catalog_service_pb2_grpc import CatalogServiceStub
from segue.v1.classification_service_pb2 import ClassifyRequest, ClassifyResponse
from segue.v1.classification_service_pb2_grpc import ClassificationServiceStub
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse
from segue.v1.recommendation_service_pb2_grpc import RecommendationServiceStub

AudioSource: TypeAlias = bytes | os.PathLike[str]
"""The bytes of a whole audio file, or the path of one."""

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 86_400.0
"""gRPC takes a deadline that is too far off, or none at all, for one in the past."""

MAX_AUDIO_BYTES = 16 * 1024 * 1024
"""What one call takes, in bytes."""

_MAX_MESSAGE_BYTES = 2 * MAX_AUDIO_BYTES
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
# gRPC now and then loses a message of a stream that it sends once more, so it is to send none.
_STREAMS = [
    {"service": "segue.v1.ClassificationService", "method": "StreamingClassify"},
    {"service": "segue.v1.RecommendationService", "method": "StreamingRecommend"},
]
_RETRIES = {
    "methodConfig": [
        {"name": _STREAMS},
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                # A server that stops ends by CANCELLED what arrives in that very moment, and has done nothing with it.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        },
    ],
    # A server in trouble is not sent every clip four times: retries stop after some failures in a row.
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
}
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", json.dumps(_RETRIES)),
    # Above this size a call is silently not retried, and the default of 256 KiB is less than any clip.
    ("grpc.per_rpc_retry_buffer_size", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC would send even calls to this machine through the proxy that the environment names for the web.
    ("grpc.enable_http_proxy", 0),
)

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Stubs:
    """The generated stubs of every service, on one channel of either kind.

    They are typed as the plain ones; on an asyncio channel a call returns an awaitable of the answer instead.
    """

    def __init__(self, channel: grpc.Channel | grpc.aio.Channel) -> None:
        self.classification: ClassificationServiceStub = ClassificationServiceStub(channel)
        self.recommendation: RecommendationServiceStub = RecommendationServiceStub(channel)
        self.catalog: CatalogServiceStub = CatalogServiceStub(channel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Request, Answer]):
    """One call: which procedure, and what to send it."""

    procedure: Callable[[Stubs], "grpc.UnaryUnaryMultiCallable[Request, Answer]"]
    request: Request


@dataclass(frozen=True)
class Endpoint:
    """Where the server is, how long to wait for it, and how to prove who asks.

    Raises:
        ValueError: The timeout is not in (0, 86400] s, or the credentials cannot be used.
    """

    address: str
    timeout: float
    wait_for_ready: bool
    credentials: Credentials
    secured: grpc.ChannelCredentials | None = field(init=False)
    metadata: tuple[tuple[str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_timeout(self.timeout)
        object.__setattr__(self, "secured", self.credentials.for_channel())
        object.__setattr__(self, "metadata", self.credentials.for_calls(self.address))

    def start(self, stubs: Stubs, call: Call[Request, Answer]) -> Answer:
        """Sends a call; on an asyncio channel what comes back is still to be awaited."""
        return call.procedure(stubs)(
            call.request, timeout=self.timeout, wait_for_ready=self.wait_for_ready, metadata=self.metadata
        )

    @contextmanager
    def typed_errors(self) -> Iterator[None]:
        """Raises what gRPC raises inside as a SegueError."""
        try:
            yield
        except grpc.RpcError as error:
            raise from_rpc_error(error, address=self.address, timeout=self.timeout) from error


def check_timeout(timeout: float) -> None:
    """Refuses what gRPC would take for the past.

    Raises:
        ValueError: It is not in (0, 86400] s.
    """
    if not 0 < timeout <= MAX_TIMEOUT:
        raise ValueError(f"timeout is more than 0 and at most {MAX_TIMEOUT:g} seconds, not {timeout:g}")


def classify(
    audio: AudioSource, top_k: int | None = None, read_mask: Iterable[str] | None = None
) -> Call[ClassifyRequest, ClassifyResponse]:
    """Describes Classify."""
    request = ClassifyRequest(audio=_audio(audio), top_k=int32(top_k), read_mask=mask(read_mask))
    return Call(lambda stubs: stubs.classification.Classify, request)


def recommend(
    seed: AudioSource | str, limit: int | None = None, read_mask: Iterable[str] | None = None
) -> Call[RecommendRequest, RecommendResponse]:
    """Describes Recommend."""
    request = RecommendRequest(limit=int32(limit), read_mask=mask(read_mask))
    if isinstance(seed, str):
        request.track_id = _text(seed)
    else:
        request.audio.CopyFrom(_audio(seed))
    return Call(lambda stubs: stubs.recommendation.Recommend, request)


def get_track(track_id: str) -> Call[GetTrackRequest, GetTrackResponse]:
    """Describes GetTrack."""
    return Call(lambda stubs: stubs.catalog.GetTrack, GetTrackRequest(track_id=_text(track_id)))


def list_tracks(page_size: int | None, page_token: str = "") -> Call[ListTracksRequest, ListTracksResponse]:
    """Describes ListTracks, for the first page unless a token says which."""
    request = ListTracksRequest(page_size=int32(page_size) or 0, page_token=page_token)
    return Call(lambda stubs: stubs.catalog.ListTracks, request)


def next_page(
    call: Call[ListTracksRequest, ListTracksResponse], page: ListTracksResponse
) -> Call[ListTracksRequest, ListTracksResponse] | None:
    """Describes the call for the page that follows, or None after the last."""
    return list_tracks(call.request.page_size, page.next_page_token) if page.next_page_token else None


def status() -> Call[GetStatusRequest, GetStatusResponse]:
    """Describes GetStatus."""
    return Call(lambda stubs: stubs.catalog.GetStatus, GetStatusRequest())


def int32(number: int | None) -> int | None:
    """Keeps a number on the wire; the server takes all that lie past its own limits alike."""
    return None if number is None else max(_INT32_MIN, min(number, _INT32_MAX))


def mask(paths: Iterable[str] | None) -> FieldMask | None:
    """Names the wanted fields of an answer; None leaves them to the server.

    Raises:
        TypeError: It is one string, whose letters would be taken for fields.
    """
    if isinstance(paths, str):
        raise TypeError(f"read_mask is a list of fields such as [{paths!r}], not a str")
    return None if paths is None else FieldMask(paths=map(_text, paths))


def _text(text: str) -> str:
    """Keeps text on the wire; the bytes that Python smuggles in from a command line are in no track's id."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _audio(source: AudioSource) -> Audio:
    """Takes the bytes of a piece, and refuses more than one call takes.

    Raises:
        AudioTooLongError: There are more than MAX_AUDIO_BYTES.
        AudioUnreadableError: The file cannot be read.
        TypeError: It is neither bytes nor a path.
    """
    content = source if isinstance(source, bytes) else _read(source)
    if len(content) <= MAX_AUDIO_BYTES:
        return Audio(content=content)
    name = "The audio" if isinstance(source, bytes) else os.fspath(source)
    raise AudioTooLongError(
        f"{name} holds more than the 16 MiB that one call takes: "
        "send an excerpt, or a compressed file such as FLAC, Ogg or MP3.",
        metadata={"limit_bytes": str(MAX_AUDIO_BYTES)},
        field="audio.content",
    )


def _read(path: os.PathLike[str]) -> bytes:
    """Reads a file up to one byte more than one call takes, which tells of any excess however large the file."""
    if not isinstance(path, os.PathLike):
        raise TypeError(f"audio is bytes or a path such as pathlib.Path, not {type(path).__name__}")
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_AUDIO_BYTES + 1)
    except OSError as error:
        raise AudioUnreadableError(f"{os.fspath(path)} cannot be read: {error.strerror or error}.") from error
