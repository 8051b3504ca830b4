"""Keeps the status that a server gave a stream from what gRPC makes of it.

Where a stream ends while a message is being written, `grpc.aio` puts an error of its own in the place of the server's
status (https://github.com/grpc/grpc/issues/36066). Both pass by the callbacks of the call, which see what each was.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import grpc

_OF_GRPC = "Internal error from Core"
# The server's status is under way when the write fails.
_PATIENCE = 2.0

Answer = TypeVar("Answer")
Result = TypeVar("Result")


async def answers_of(call: Any) -> AsyncIterator[Any]:  # noqa: ANN401  a stream of any messages
    """The answers of a stream, and the status of the server where it fails.

    Raises:
        grpc.aio.AioRpcError: The stream failed.
    """
    told: asyncio.Future[grpc.aio.AioRpcError] = asyncio.get_running_loop().create_future()
    call.add_done_callback(lambda call: _note(call, told))
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as error:
        if not _is_grpcs_own(error):
            raise
        try:
            raise await asyncio.wait_for(told, _PATIENCE) from error
        except TimeoutError:
            raise error from None


def _note(call: Any, told: "asyncio.Future[grpc.aio.AioRpcError]") -> None:  # noqa: ANN401  likewise
    error = grpc.aio.AioRpcError(
        _now(call.code()), grpc.aio.Metadata(), _now(call.trailing_metadata()), _now(call.details()), ""
    )
    if not told.done() and not _is_grpcs_own(error):
        told.set_result(error)


def _is_grpcs_own(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.INTERNAL and (error.details() or "").startswith(_OF_GRPC)


def _now(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns that need not wait: the parts of a status that is there."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    coroutine.close()
    raise RuntimeError("there is no status yet")
