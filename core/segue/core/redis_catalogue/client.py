"""Connects to Redis, reads many keys at once, and translates its errors into sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    MovedError,
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
from redis.sentinel import MasterNotFoundError

from segue.core.errors import CatalogueLost, StoreUnavailable
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.sentinel import connect_by_sentinels, names_sentinels


class RedisTimeouts(NamedTuple):
    """Limits on the time that a command may take.

    Attributes:
        connect: seconds to wait for a connection.
        answer: seconds to wait for the reply to a command.
        retries: how often a failed command is sent again, 0 or above.
    """

    connect: float
    answer: float
    retries: int


# With appendfsync "always", a reply waits for the disk.
DEFAULT_TIMEOUTS = RedisTimeouts(connect=3.0, answer=10.0, retries=2)
# For a server, whose own callers wait meanwhile.
SERVER_TIMEOUTS = RedisTimeouts(connect=1.0, answer=2.0, retries=0)

P = ParamSpec("P")
R = TypeVar("R")


class HasAddress(Protocol):
    """An object that uses one Redis."""

    @property
    def address(self) -> str:
        """The address of the Redis, without its password."""
        ...


S = TypeVar("S", bound=HasAddress)


def connect(url: str, timeouts: RedisTimeouts = DEFAULT_TIMEOUTS) -> Redis:
    """Returns a client of the Redis at ``url``; sends nothing yet.

    Raises:
        StoreUnavailable: the URL is not the address of a Redis.
    """
    try:
        _check_password(url)
        options: dict[str, Any] = {
            # Under RESP2 all versions of the client and the server give replies of the same shape.
            "protocol": 2,
            "socket_connect_timeout": timeouts.connect,
            "socket_timeout": timeouts.answer,
            "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), timeouts.retries),
        }
        if names_sentinels(url):
            return connect_by_sentinels(url, **options)
        _check_database(url)
        return Redis.from_url(url, **options)
    except ValueError:
        # Without the cause: its message may quote half of a password as the port.
        raise StoreUnavailable(
            f"{address_of(url)!r} is not the address of a Redis. Write redis://HOST:PORT/DB, rediss://..., unix://PATH "
            "or redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB, and the special characters of a password as %XX."
        ) from None


def address_of(url: str) -> str:
    """Returns the address in a URL without user name, password and options; less if the URL is ambiguous."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    # urlsplit would end the password at a "/", "?" or "#" in it.
    login, _, address = rest.rpartition("@")
    if "=" in login.partition("?")[2]:  # the last "@" may be in the password of ?password=
        return f"{scheme}{separator}..."
    return f"{scheme}{separator}{unquote(re.split('[?#]', address)[0])}"


def _check_password(url: str) -> None:
    """Checks that no special character cuts the login: redis-py would take its first half for the host and port."""
    parts = urlsplit(url)
    if parts.scheme != "unix" and (
        "@" in parts.path + parts.fragment or ("@" in parts.query and "=" not in parts.query)
    ):
        raise ValueError("the address is followed by an @")


def _check_database(url: str) -> None:
    """Checks that the database is a number: otherwise redis-py would use database 0, which may be another program's."""
    parts = urlsplit(url)
    if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        raise ValueError("the database is not a number")


@contextmanager
def translating_errors(address: str) -> Iterator[None]:
    """Translates the errors of redis-py into sentences.

    Raises:
        StoreUnavailable: Redis does not answer, or refuses a command.
        CatalogueLost: a key of the catalogue has the wrong type.
    """
    try:
        yield
    except RedisError as error:
        if is_wrong_type(error):
            raise CatalogueLost(
                f"The Redis at {address} has a key of the catalogue that another program replaced by one of another "
                "type. Run `segue-indexer verify --repair`, or restore a backup."
            ) from error
        raise StoreUnavailable(f"The Redis at {address} {_explanation(error)}") from error


def translates_errors(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Decorates a method so that it raises ``StoreUnavailable`` when Redis does not answer or refuses."""

    @wraps(method)
    def translated(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with translating_errors(self.address):
            return method(self, *args, **kwargs)

    return translated


def _explanation(error: RedisError) -> str:
    """Returns the end of a sentence about a Redis: what happened and what to do."""
    # The last dump or the log of commands could not be written, so Redis refuses writes.
    if _error_code(error) == "MISCONF":
        return f"cannot write to its disk ({error}). Make room there (see its log), then run the same command again."
    if _error_code(error) == "NOREPLICAS":
        return f"has too few replicas to write ({error}). Start them, then run the same command again."
    if str(error).startswith(_NO_RIGHT_IN_SCRIPT):
        return _NO_RIGHT.format(error=str(error).rstrip("."))
    if isinstance(error, _CLUSTER_ERRORS) or str(error).endswith(_NO_SELECT):
        return (
            f"is a node of a Redis Cluster ({error}). Segue needs one Redis that is no cluster: name it with --redis "
            "or SEGUE_REDIS."
        )
    for kinds, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return sentence.format(error=str(error).rstrip("."))
    return f"failed: {error}"


def _error_code(error: RedisError) -> str:
    """Returns the first word of an error reply, which is a code in the Redis protocol.

    redis-py cuts it off and raises a class of its own for the codes that it knows.
    """
    return str(error).partition(" ")[0]


_NO_RIGHT = (
    "does not permit this user a command or a key ({error}). docs/operations.md has the ACL SETUSER lines for server "
    "and indexer."
)
# Valkey, then Redis 7.0, which does not name the command. Neither reply has the code of other refusals.
_NO_RIGHT_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")
_CLUSTER_ERRORS = (MovedError, ClusterDownError, ClusterCrossSlotError)
# The reply to a database other than 0 has no code of its own.
_NO_SELECT = "SELECT is not allowed in cluster mode"
# The first match counts, so subclasses come before their base classes.
_SENTENCES: tuple[tuple[tuple[type[RedisError], ...], str], ...] = (
    (
        (AuthenticationError, AuthorizationError),
        "refuses this user ({error}). Put the right name and password into its URL.",
    ),
    ((NoPermissionError,), _NO_RIGHT),
    ((BusyLoadingError,), "is still loading its data. Try again in a moment."),
    ((OutOfMemoryError,), "is full ({error}). Give it more memory (maxmemory), then run the same command again."),
    (
        (NoScriptError,),
        "was restarted during the operation. Its log says why (a full disk?); then run the same command again.",
    ),
    ((MasterNotFoundError,), "{error}."),
    ((ReadOnlyError,), "is a replica and cannot be written. Give the address of the primary."),
    (
        (RedisConnectionError, RedisTimeoutError),
        "does not answer ({error}). Start it (see its log), or name another with --redis or SEGUE_REDIS.",
    ),
    (
        (ResponseError,),
        "refuses a command ({error}). See its log. Segue needs Redis 6.2 or newer, or Valkey, and shares it with no "
        "other program.",
    ),
)


class WrongType(ValueError):
    """The reply to a command on a key that another program replaced by one of another type."""

    def __init__(self) -> None:
        super().__init__("Its key in Redis has another type than Segue writes.")


def read_each(client: Redis, items: Iterable[Any], add_command: Callable[[Any, Any], object]) -> list[Any]:
    """Returns the reply to a command for each item, in one round trip.

    Args:
        client: a client of Redis.
        items: the items.
        add_command: adds the command for an item.

    Returns:
        The replies, with a ``WrongType`` for each key of the wrong type.

    Raises:
        RedisError: Redis does not answer, or refuses a command for another reason.
    """
    pipe = client.pipeline(transaction=False)
    for item in items:
        add_command(pipe, item)
    return list(map(_checked, pipe.execute(raise_on_error=False)))


def read_embeddings(client: Redis, keys: RedisKeys, track_ids: Sequence[str]) -> tuple[int | None, list[Any]]:
    """Returns the width of the catalogue, or None if it is unknown, and the embeddings as bytes; see ``read_each``."""
    pipe = client.pipeline(transaction=True)
    pipe.hget(keys.identity, "width")
    pipe.mget([keys.embedding(track_id) for track_id in track_ids])
    width, values = pipe.execute()
    # MGET is quick, but does not distinguish keys of the wrong type from missing ones.
    missing = [number for number, value in enumerate(values) if value is None]
    missing_keys = [keys.embedding(track_ids[number]) for number in missing]
    for number, reply in zip(missing, read_each(client, missing_keys, Pipeline.get), strict=True):
        values[number] = reply
    return (int(width) if width and width.isdigit() else None), values


def is_wrong_type(reply: object) -> bool:
    """Returns whether a reply or an error says that a key has the wrong type."""
    return isinstance(reply, ResponseError) and "WRONGTYPE" in str(reply)


def _checked(reply: Any) -> Any:  # noqa: ANN401 - replies of Redis
    if is_wrong_type(reply):
        return WrongType()
    if isinstance(reply, Exception):
        raise reply
    return reply
