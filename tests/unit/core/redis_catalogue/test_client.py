"""URLs of a Redis, without a Redis."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from redis.connection import SSLConnection

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.client import address_of, connect


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://someone:secret@host:6379/0?password=secret", "rediss://host:6379/0"),
        ("unix://:secret@/run/my%20redis.sock?db=1", "unix:///run/my redis.sock"),
        ("redis://:se/cret@host:6379/0", "redis://host:6379/0"),
        ("redis://u:se#cret@host", "redis://host"),
        ("redis://u:se?cret@host", "redis://host"),
        ("redis://u:se@cret@host", "redis://host"),
        ("redis://host?password=se@cret", "redis://..."),
        ("redis://u:se@host?password=se@cret", "redis://..."),
        ("redis://u:%5Bse%40cret@[::1]:6379", "redis://[::1]:6379"),
        ("redis://[x", "redis://[x"),
        ("u:secret@host", "host"),
        ("localhost:6379", "localhost:6379"),
        ("redis+sentinel://u:se@a:1,b:2/music/0?sentinel_password=cret", "redis+sentinel://a:1,b:2/music/0"),
    ],
)
def test_an_address_has_no_password(url: str, expected: str) -> None:
    """No part of a login is in the address, whatever characters it has."""
    assert expected == address_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:se/cret@host:6379/0",
        "redis://u:pa#ss@host",
        "redis://u:pa?ss@host",
        "redis://u:12/34@host",
        "redis://u:12#34@host",
        "redis://u:12?34@host",
        "redis://[x",
        "localhost:6379",
        "redis://host/abc",
        "rediss://host:6379/-1",
        "redis://host/0/1",
        "redis+sentinel://host",
        "redis+sentinel:///music",
        "redis+sentinel://host:port/music",
        "redis+sentinel://host/music/abc",
        "redis+sentinel://host,/music",
        "redis+sentinel://u:pa/ss@host/music",
    ],
)
def test_an_invalid_url(url: str) -> None:
    """The error does not quote half of a password, which is not mistaken for a port either."""
    with pytest.raises(StoreUnavailable, match="is not the address of a Redis") as error:
        connect(url)
    message = "".join(traceback.format_exception_only(error.value)) + str(error.value.__cause__)
    parts = ("se/", "cret", "pa", "ss@", "12", "34")
    assert [] == [part for part in parts if part in message.replace("password", "")]


@pytest.mark.parametrize("url", ["redis://u:p%2F%40w@host:1/0", "redis://host?password=p@w", "unix:///run/a@b.sock"])
def test_a_valid_url(url: str) -> None:
    """Special characters are accepted as %XX in a password, and an @ in options and paths."""
    connect(url).close()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_the_address_of_sentinels(scheme: str) -> None:
    """Logins, ports, database and TLS go to the connections that they are for."""
    url = f"{scheme}+sentinel://u:p%40@a,[::1]:2/music/3?sentinel_username=s&sentinel_password=q"
    with connect(url) as client:
        pool: Any = client.connection_pool
    sentinels = [sentinel.connection_pool for sentinel in pool.sentinel_manager.sentinels]
    assert [("a", 26379), ("::1", 2)] == [
        (each.connection_kwargs["host"], each.connection_kwargs["port"]) for each in sentinels
    ]
    assert {("s", "q")} == {
        (each.connection_kwargs["username"], each.connection_kwargs["password"]) for each in sentinels
    }
    own = pool.connection_kwargs
    assert ("music", "u", "p@", 3) == (pool.service_name, own["username"], own["password"], own["db"])
    classes = [pool.connection_class, *(each.connection_class for each in sentinels)]
    assert {scheme == "rediss"} == {issubclass(each, SSLConnection) for each in classes}
