"""Checks the bearer token of every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc

from segue.core.errors import AccessError
from segue.server.rpc import health
from segue.server.rpc.handlers import Handler, rejecting_handler
from segue.server.rpc.service_names import service_of
from segue.server.security.tokens import Tokens

_HEADER, _SCHEME = "authorization", "bearer "


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in its types alone
    """Rejects a call without a valid token before its message is read; runs inside ``ErrorStatusInterceptor``."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the handler of a call, or one that rejects the call; health needs no token."""
        handler = await continuation(handler_call_details)
        service = service_of(handler_call_details.method)
        # An unknown method has no handler, and must not become a label of the metrics either.
        if handler is None or service == health.SERVICE:
            return handler
        try:
            self._tokens.check(_bearer_token(handler_call_details), service)
        except AccessError as error:
            return rejecting_handler(error)
        return handler


def _bearer_token(details: grpc.HandlerCallDetails) -> str | None:
    for key, value in details.invocation_metadata or ():
        text = str(value)
        if key == _HEADER and text[: len(_SCHEME)].lower() == _SCHEME:
            return text[len(_SCHEME) :].strip()
    return None
