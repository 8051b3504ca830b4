"""Finds out who calls: by a bearer token, or by the address of the machine on a server without tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from segue.server.callers.caller import Caller, machine_of, set_current_caller
from segue.server.rpc import health
from segue.server.rpc.handlers import Context, Handler, Method, wrap_handler
from segue.server.rpc.service_names import service_of
from segue.server.security.tokens import Tokens

_HEADER, _SCHEME = "authorization", "bearer "


class CallerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Sets the caller of every call, and rejects one without a valid token, or above a quota.

    A rejected call's message is not read. It runs inside ``ErrorStatusInterceptor``. Health needs no token.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler, which ``ReceivingInterceptor`` has made a stream-stream one."""
        handler = await continuation(handler_call_details)
        service = service_of(handler_call_details.method)
        # An unknown method has no handler, and must not become a label of the metrics either.
        return handler and wrap_handler(handler, lambda method: self._with_caller(method, service))

    def _with_caller(self, method: Method, service: str) -> Method:
        async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - any method's messages
            caller = self._caller(context, service)
            set_current_caller(caller)
            with caller.meter.call():
                async with aclosing(method(requests, context)) as responses:
                    async for response in responses:
                        yield response

        return stream

    def _caller(self, context: Context, service: str) -> Caller:
        if self._tokens is None or service == health.SERVICE:
            return Caller(machine_of(context.peer()))
        return self._tokens.caller(_bearer_token(context), service)


def _bearer_token(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        text = str(value)
        if key == _HEADER and text[: len(_SCHEME)].lower() == _SCHEME:
            return text[len(_SCHEME) :].strip()
    return None
