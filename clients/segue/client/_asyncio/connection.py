"""The connection of the client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property
from types import TracebackType
from typing import Self, cast

import grpc

from segue.client._audio import Clip
from segue.client._endpoint import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Call, Endpoint, Request, Response, Stubs
from segue.client._spans import call_span
from segue.client._waiting import Waiting
from segue.client.credentials import Credentials
from segue.client.errors import SegueError


class Connection:
    """Sends calls over one channel, which belongs to the event loop of the first call; see `AsyncClient`."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, timeout, wait_for_ready, credentials or Credentials())

    async def close(self) -> None:
        """Cancels the calls in progress and closes the connection."""
        await self._channel.close(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        return self._endpoint.open_async_channel()

    @cached_property
    def _stubs(self) -> Stubs:
        return Stubs(self._channel)

    async def _send(self, call: Call[Request, Response]) -> Response:
        async def send(seconds: float) -> Response:
            with call_span(type(call.request)) as trace, self._endpoint.typed_errors():
                return await cast("Awaitable[Response]", self._endpoint.send(self._stubs, call, seconds, trace))

        return await _until_ready(self._endpoint.waiting(), send)

    async def _upload(self, clip: Clip, send: Callable[[float], Awaitable[Response]]) -> Response:
        if self._endpoint.wait_for_ready and not clip.is_repeatable:
            # It cannot be sent again, so it is sent only when there is a server. Without one, the call says so.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._endpoint.timeout):
                    await self._channel.channel_ready()
        return await _until_ready(self._endpoint.waiting_for_upload(clip), send)


async def _until_ready(waiting: Waiting, send: Callable[[float], Awaitable[Response]]) -> Response:
    """Sends a call, again while the server starts; ``send`` takes the time limit in seconds."""
    while True:
        try:
            return await send(waiting.seconds_left)
        except SegueError as error:
            await asyncio.sleep(waiting.pause_after(error))
