"""Finds out who calls: by a bearer token, or by the address of the machine on a server without tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from segue.server.callers.caller import Caller, machine_of, set_current_caller
from segue.server.rpc import health
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, Method, wrap_handler
from segue.server.rpc.service_names import service_of
from segue.server.security.tokens import Tokens

_HEADER, _SCHEME = "authorization", "bearer "


class CallerInterceptor(HandlerInterceptor):
    """Sets the caller of every call, and rejects one without a valid token, or above a quota.

    A rejected call's message is not read. It runs inside ``ErrorStatusInterceptor``. Health needs no token.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Sets the caller of each call of the method."""
        return wrap_handler(handler, lambda method: self._with_caller(method, service_of(name)))

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
