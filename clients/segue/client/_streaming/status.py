"""Keeps the status with which a server ends an asyncio stream.

Where a stream ends while a message is being written, `grpc.aio` replaces the server's status by an INTERNAL of its own
(https://github.com/grpc/grpc/issues/36066). It does so when the write fails, so the end of the call cancels the task
that writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from segue.client._endpoint import Request, Response


async def exchange(
    call: grpc.aio.StreamStreamCall[Request, Response], requests: AsyncGenerator[Request]
) -> AsyncGenerator[Response]:
    """Writes the requests of a stream and yields its responses.

    The call is cancelled when a request cannot be made, and when the caller stops reading.

    Args:
        call: a stream that was opened without an iterator of requests.
        requests: the messages to write.

    Raises:
        grpc.aio.AioRpcError: the stream failed, with the status of the server.
        asyncio.CancelledError: a request could not be made, or the caller's task was cancelled.
    """
    writer = asyncio.create_task(_write(call, requests))

    def stop_writing(_: object) -> None:
        writer.cancel()

    call.add_done_callback(stop_writing)
    try:
        async for response in call:
            yield response
    finally:
        call.cancel()
        writer.cancel()


async def _write(call: grpc.aio.StreamStreamCall[Request, Response], requests: AsyncGenerator[Request]) -> None:
    try:
        async with aclosing(requests):
            async for request in requests:
                await call.write(request)
        await call.done_writing()
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the call's status or `requests` has the error
        call.cancel()  # does nothing to a call that has ended
