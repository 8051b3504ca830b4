"""Connects to the primary that Sentinels name, so that a replica that takes over is found without other settings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

log = logging.getLogger(__name__)

_parse: Any = parse_url  # redis-py has no types for it

_SUFFIX = "+sentinel"
_PORT = 26_379
# Several may have to be asked until one answers.
_SENTINEL_SECONDS = 1.0


def names_sentinels(url: str) -> bool:
    """Returns whether a URL has the addresses of Sentinels, not that of a Redis."""
    return url.partition("://")[0] in {f"redis{_SUFFIX}", f"rediss{_SUFFIX}"}


def connect_by_sentinels(url: str, **options: Any) -> Redis:  # noqa: ANN401 - as redis-py types them
    """Returns a client of the primary that Sentinels name at each connection; sends nothing yet.

    Args:
        url: redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DB, or rediss+sentinel:// for TLS to both. User and
            password are those of the primary; ``sentinel_username`` and ``sentinel_password`` in the query are those of
            the Sentinels.
        options: of the connections to the primary.

    Raises:
        ValueError: the URL has another form.
    """
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path.removeprefix("/").partition("/")
    if not name or (database and not database.isdecimal()):
        raise ValueError("the name of the primary is missing, or the database is not a number")
    scheme = parts.scheme.removesuffix(_SUFFIX)
    parsed = [dict(_parse(f"{scheme}://{login}{at}{host}/{database}?{parts.query}")) for host in hosts.split(",")]
    if not all("host" in each for each in parsed):
        raise ValueError("the address of a Sentinel is missing")
    addresses = [(each.pop("host"), each.pop("port", _PORT)) for each in parsed]
    return _primary(addresses, name, parsed[0] | options)


def _primary(addresses: Sequence[tuple[str, int]], name: str, options: dict[str, Any]) -> Redis:
    """Returns a client of the primary of this name; ``options`` has those of its connections and of the Sentinels'."""
    has_tls = options.pop("connection_class", None) is SSLConnection
    login = {key: options.pop(f"sentinel_{key}", None) for key in ("username", "password")}
    options_of_sentinels: dict[str, Any] = {
        **login,
        **{key: value for key, value in options.items() if key.startswith("ssl_")},
        **dict.fromkeys(("socket_connect_timeout", "socket_timeout"), _SENTINEL_SECONDS),
        "ssl": has_tls,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
    }
    make: Any = _Sentinels  # likewise
    sentinels = make(addresses, sentinel_kwargs=options_of_sentinels)
    connection_class = SentinelManagedSSLConnection if has_tls else SentinelManagedConnection
    client: Redis = sentinels.master_for(name, connection_class=connection_class, **options)
    return client


def primary_of(client: Redis) -> str | None:
    """Returns HOST:PORT of the primary that the Sentinels named last, or None for a client without Sentinels."""
    pool = client.connection_pool
    address = pool.master_address if isinstance(pool, SentinelConnectionPool) else None
    return ":".join(map(str, address)) if address else None


class _Sentinels(Sentinel):
    """Asks Sentinels for the primary; says what is wrong, and logs each other primary."""

    _last: tuple[str, int] | None = None

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Returns the address of a primary.

        Raises:
            MasterNotFoundError: no Sentinel names one; the message is a predicate.
        """
        errors, names = list[RedisError](), set[str]()
        for sentinel in self.sentinels:
            try:
                primaries: Any = sentinel.sentinel_masters()
            except (RedisConnectionError, RedisTimeoutError) as error:
                errors.append(error)
                continue
            state = primaries.get(service_name)
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]  # likewise
                return self._found(service_name, (state["ip"], state["port"]))
            names.update(primaries)
        raise MasterNotFoundError(_explanation(service_name, names, errors))

    def _found(self, name: str, address: tuple[str, int]) -> tuple[str, int]:
        if self._last not in {None, address}:
            log.warning(
                "The primary %s is now at %s:%d. Writes that it had not received before are lost.", name, *address
            )
        self._last = address
        return address


def _explanation(name: str, names: set[str], errors: list[RedisError]) -> str:
    """Returns why no primary was found, as the end of a sentence about a Redis.

    Args:
        name: name of the primary.
        names: names of the primaries that the Sentinels know.
        errors: errors of the Sentinels that did not answer.
    """
    if name in names:
        return (
            "has no primary now, say its Sentinels. They promote a replica if one is left and most of them agree: try "
            "again in a moment, and see their logs if it lasts"
        )
    if names or not errors:
        known = f", only {', '.join(sorted(names))}" if names else ""
        return f"is unknown: its Sentinels have no primary of the name {name}{known}. Put the right name into its URL"
    if any(isinstance(error, AuthenticationError) for error in errors):
        return (
            f"cannot be found: its Sentinels refuse this user ({errors[0]}). Put the right sentinel_username and "
            "sentinel_password into its URL"
        )
    return (
        f"cannot be found: none of its Sentinels answers ({errors[-1]}). Start one (see its log), or put the right "
        "addresses into its URL"
    )
