"""Finds out who calls: by a bearer token, or by the address of the machine on a server without tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.server.callers.caller import Caller, machine_of, set_current_caller
from segue.server.rpc import health
from segue.server.rpc.handlers import Context, Handler, HandlerInterceptor, wrap_handler
from segue.server.rpc.service_names import service_of
from segue.server.security.tokens import Tokens

_HEADER, _SCHEME = "authorization", "bearer "


class CallerInterceptor(HandlerInterceptor):
    """Sets the caller of every call, and rejects one without a valid token, or above a quota.

    A rejected call's message is not read. It runs inside ``ErrorStatusInterceptor``. Health needs no token.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        super().__init__()
        self._tokens = tokens

    def wrapped(self, handler: Handler, name: str) -> Handler:
        """Sets the caller of each call of the method."""
        return wrap_handler(handler, lambda context: self._with_caller(context, name.strip("/")))

    @contextmanager
    def _with_caller(self, context: Context, method: str) -> Iterator[None]:
        caller = self._caller(context, method)
        set_current_caller(caller)
        with caller.meter.call():
            yield

    def _caller(self, context: Context, method: str) -> Caller:
        if self._tokens is None or service_of(method) == health.SERVICE:
            return Caller(machine_of(context.peer()))
        return self._tokens.caller(_bearer_token(context), method)


def _bearer_token(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        text = str(value)
        if key == _HEADER and text[: len(_SCHEME)].lower() == _SCHEME:
            return text[len(_SCHEME) :].strip()
    return None
