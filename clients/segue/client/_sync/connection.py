"""The connection of the synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import grpc

from segue.client._audio import Clip
from segue.client._endpoint import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Call, Endpoint, Request, Response, Stubs
from segue.client._spans import call_span
from segue.client._waiting import Waiting
from segue.client.credentials import Credentials
from segue.client.errors import SegueError


class Connection:
    """Sends calls over one channel; see `Client`."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, timeout, wait_for_ready, credentials or Credentials())
        self._channel = self._endpoint.open_channel()
        self._stubs = Stubs(self._channel)

    def close(self) -> None:
        """Cancels the calls in progress and closes the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: Call[Request, Response]) -> Response:
        def send(seconds: float) -> Response:
            with call_span(type(call.request)) as trace, self._endpoint.typed_errors():
                return self._endpoint.send(self._stubs, call, seconds, trace)

        return _until_ready(self._endpoint.waiting(), send)

    def _upload(self, clip: Clip, send: Callable[[float], Response]) -> Response:
        if self._endpoint.wait_for_ready and not clip.is_repeatable:
            # It cannot be sent again, so it is sent only when there is a server. Without one, the call says so.
            with suppress(grpc.FutureTimeoutError):
                grpc.channel_ready_future(self._channel).result(self._endpoint.timeout)
        return _until_ready(self._endpoint.waiting_for_upload(clip), send)


def _until_ready(waiting: Waiting, send: Callable[[float], Response]) -> Response:
    """Sends a call, again while the server starts; ``send`` takes the time limit in seconds."""
    while True:
        try:
            return send(waiting.seconds_left)
        except SegueError as error:
            time.sleep(waiting.pause_after(error))
