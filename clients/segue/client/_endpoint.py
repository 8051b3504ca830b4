"""The connection of a client to its server: address, options of the channel, limits of a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc
from google.protobuf.message import Message

from segue.client._audio import MAX_AUDIO_BYTES, Clip
from segue.client._error_mapping import from_rpc_error
from segue.client._spans import Metadata
from segue.client._waiting import Waiting
from segue.client.credentials import Credentials
from segue.v1.catalog_service_pb2_grpc import CatalogServiceStub
from segue.v1.classification_service_pb2_grpc import ClassificationServiceStub
from segue.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from segue.v1.recommendation_service_pb2_grpc import PlaylistServiceStub, RecommendationServiceStub

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 86_400.0
"""Longest time limit of a call, in seconds; gRPC treats a much later deadline as one in the past."""

_MAX_MESSAGE_BYTES = 2 * MAX_AUDIO_BYTES
_STREAMS = [
    {"service": "segue.v1.ClassificationService", "method": "StreamingClassify"},
    {"service": "segue.v1.ClassificationService", "method": "BatchClassify"},
    {"service": "segue.v1.RecommendationService", "method": "StreamingRecommend"},
    {"service": "segue.v1.RecommendationService", "method": "RecommendUpload"},
    {"service": "segue.v1.CatalogService", "method": "UpsertTracks"},
]
_SERVICE_CONFIG = {
    "methodConfig": [
        # No retries of streams: gRPC's sometimes lose a message.
        {"name": _STREAMS},
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                # A server that stops ends the calls that just arrived by CANCELLED, and has not begun them.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        },
    ],
    # Stops retrying after several failures, so that a server in trouble does not receive every clip four times.
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
}
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # gRPC silently skips the retries of a larger call; its default of 256 KiB is smaller than any clip.
    ("grpc.per_rpc_retry_buffer_size", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # By default the pauses between two tries to connect grow to two minutes, long after a server is back.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # gRPC would send even calls to this machine through the environment's web proxy.
    ("grpc.enable_http_proxy", 0),
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")


class Stubs:
    """The generated stubs of every service, on one channel of either kind.

    Their types are those of a synchronous channel; on an asyncio channel a call returns an awaitable of the response.
    """

    def __init__(self, channel: grpc.Channel | grpc.aio.Channel) -> None:
        self.classification: ClassificationServiceStub = ClassificationServiceStub(channel)
        self.recommendation: RecommendationServiceStub = RecommendationServiceStub(channel)
        self.playlist: PlaylistServiceStub = PlaylistServiceStub(channel)
        self.catalog: CatalogServiceStub = CatalogServiceStub(channel)
        self.feedback: FeedbackServiceStub = FeedbackServiceStub(channel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Request, Response]):
    """A unary call that is ready to send.

    Attributes:
        method: selects the method of the stubs.
        request: the message to send.
    """

    method: Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Response]]
    request: Request


@dataclass(frozen=True)
class Endpoint:
    """The address of a server, and the settings of the calls to it.

    Attributes:
        address: HOST:PORT or another target of gRPC's.
        timeout: time limit of a unary call in seconds, (0, 86400].
        wait_for_ready: True to wait, up to the timeout, for a server that is not there yet or is still starting.
        credentials: TLS and a token.
        channel_credentials: the TLS credentials of a channel, or None for plain text.
        metadata: the metadata of every call.

    Raises:
        ValueError: the timeout is out of range, or the credentials cannot be used.
    """

    address: str
    timeout: float
    wait_for_ready: bool
    credentials: Credentials
    channel_credentials: grpc.ChannelCredentials | None = field(init=False)
    metadata: Metadata = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_timeout(self.timeout)
        object.__setattr__(self, "channel_credentials", self.credentials.for_channel())
        object.__setattr__(self, "metadata", self.credentials.for_calls(self.address))

    def open_channel(self) -> grpc.Channel:
        """Opens a synchronous channel."""
        if self.channel_credentials:
            return grpc.secure_channel(self.address, self.channel_credentials, options=CHANNEL_OPTIONS)
        return grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS)

    def open_async_channel(self) -> grpc.aio.Channel:
        """Opens a channel for the running event loop."""
        if self.channel_credentials:
            return grpc.aio.secure_channel(self.address, self.channel_credentials, options=CHANNEL_OPTIONS)
        return grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)

    def send(self, stubs: Stubs, call: Call[Request, Response], timeout: float, trace: Metadata) -> Response:
        """Sends a call and returns its response; on an asyncio channel, an awaitable of it.

        Args:
            stubs: the stubs of the channel.
            call: the call.
            timeout: time limit in seconds.
            trace: metadata of the call's span.
        """
        return call.method(stubs)(call.request, timeout=timeout, metadata=(*self.metadata, *trace))

    def waiting(self) -> Waiting:
        """Starts the time limit of a call."""
        return Waiting(self.timeout, is_allowed=self.wait_for_ready)

    def waiting_for_upload(self, clip: Clip) -> Waiting:
        """Starts the time limit of a call that sends a large clip in chunks."""
        return Waiting(
            self.timeout,
            is_allowed=self.wait_for_ready,
            is_repeatable=clip.is_repeatable,
            extra_seconds=min(clip.upload_seconds, MAX_TIMEOUT - self.timeout),
        )

    @contextmanager
    def typed_errors(self) -> Iterator[None]:
        """Turns gRPC's errors inside the block into a SegueError."""
        try:
            yield
        except grpc.RpcError as error:
            raise from_rpc_error(error, address=self.address, timeout=self.timeout) from error


def check_timeout(timeout: float) -> None:
    """Checks a time limit in seconds.

    Raises:
        ValueError: the limit is not in (0, 86400] s.
    """
    if not 0 < timeout <= MAX_TIMEOUT:
        raise ValueError(f"timeout is more than 0 and at most {MAX_TIMEOUT:g} seconds, not {timeout:g}")
