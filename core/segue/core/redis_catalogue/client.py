"""Reaches Redis, and says in a sentence why where it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from segue.core.errors import StoreUnavailable


class RedisTimeouts(NamedTuple):
    """How long Redis is waited for: seconds to connect, seconds for an answer, and how often it is asked again."""

    connect: float
    answer: float
    retries: int


# With appendfsync always an answer waits for the disk.
DEFAULT_TIMEOUTS = RedisTimeouts(connect=3.0, answer=10.0, retries=2)
# For whoever has callers of its own that wait.
SERVER_TIMEOUTS = RedisTimeouts(connect=1.0, answer=2.0, retries=0)

P = ParamSpec("P")
R = TypeVar("R")


class AtAddress(Protocol):
    """Anything that talks to one Redis."""

    @property
    def address(self) -> str:
        """Where it is, without its password."""
        ...


S = TypeVar("S", bound=AtAddress)


def connect(url: str, timeouts: RedisTimeouts = DEFAULT_TIMEOUTS) -> Redis:
    """A client of the Redis at ``url``; nothing is sent yet.

    Raises:
        StoreUnavailable: it is not the address of a Redis.
    """
    try:
        _check_password(url)
        _check_database(url)
        # Every answer has the same shape under RESP2, whatever the client's and the server's versions.
        return Redis.from_url(
            url,
            protocol=2,
            socket_connect_timeout=timeouts.connect,
            socket_timeout=timeouts.answer,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), timeouts.retries),
        )
    except ValueError:
        # Without its cause: what could not be read as a port may be half of a password.
        raise StoreUnavailable(
            f"{address_of(url)!r} is not the address of a Redis. Write redis://HOST:PORT/DB, rediss://... or "
            "unix://PATH, and the special characters of a password as %XX."
        ) from None


def address_of(url: str) -> str:
    """The address in a URL, without name, password and options; of a URL that cannot be understood, less."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    # Not by urlsplit, which ends the password at a "/", "?" or "#" in it.
    login, _, address = rest.rpartition("@")
    if "=" in login.partition("?")[2]:  # the last "@" may be in the password of ?password=
        return f"{scheme}{separator}..."
    return f"{scheme}{separator}{unquote(re.split('[?#]', address)[0])}"


def _check_password(url: str) -> None:
    """Refuses a login that is cut at a special character: its first half would be taken for the host and the port."""
    parts = urlsplit(url)
    if parts.scheme != "unix" and (
        "@" in parts.path + parts.fragment or ("@" in parts.query and "=" not in parts.query)
    ):
        raise ValueError("an @ behind the address")


def _check_database(url: str) -> None:
    """Refuses a database that is no number: redis-py would take the first one, in which anything may lie."""
    parts = urlsplit(url)
    if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        raise ValueError("a database that is no number")


@contextmanager
def translating_errors(address: str) -> Iterator[None]:
    """Turns what Redis raises into a sentence.

    Raises:
        StoreUnavailable: Redis does not answer, or refuses.
    """
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(f"The Redis at {address} {_what_happened(error)}") from error


def translates_errors(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that raises ``StoreUnavailable`` where Redis does not answer."""

    @wraps(method)
    def reached(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with translating_errors(self.address):
            return method(self, *args, **kwargs)

    return reached


def _what_happened(error: RedisError) -> str:
    if str(error).startswith("MISCONF"):
        return f"cannot write to its disk ({error}). Make room there (see its log), then run the same command again."
    for kinds, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return sentence.format(error=str(error).rstrip("."))
    return f"failed: {error}"


# The first that fits is said, so the special stand before the general.
_SENTENCES: tuple[tuple[tuple[type[RedisError], ...], str], ...] = (
    (
        (AuthenticationError, AuthorizationError, NoPermissionError),
        "refuses this user ({error}). Put the right name and password into its URL.",
    ),
    ((BusyLoadingError,), "is still loading its data. Try again in a moment."),
    ((OutOfMemoryError,), "is full ({error}). Give it more memory (maxmemory), then run the same command again."),
    (
        (NoScriptError,),
        "was started anew while it was asked. Its log says why (a full disk?); then run the same command again.",
    ),
    ((ReadOnlyError,), "is a replica that cannot be written. Name the primary."),
    (
        (RedisConnectionError, RedisTimeoutError),
        "does not answer ({error}). Start it (see its log), or name another with --redis or SEGUE_REDIS.",
    ),
    (
        (ResponseError,),
        "refuses a command ({error}). Look at its log; Segue needs Redis 6.2 or newer, or Valkey, to itself.",
    ),
)
