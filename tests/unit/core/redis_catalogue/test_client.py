"""What is said of a Redis by its URL, without a Redis."""

from __future__ import annotations

import traceback

import pytest

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
    ],
)
def test_an_address_has_no_password(url: str, expected: str) -> None:
    """Whatever stands in a login, no part of it is in the address."""
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
    ],
)
def test_no_address_of_a_redis(url: str) -> None:
    """It is told in a sentence, and half a password is neither said, nor in the log, nor taken for a port."""
    with pytest.raises(StoreUnavailable, match="is not the address of a Redis") as refused:
        connect(url)
    said = "".join(traceback.format_exception_only(refused.value)) + str(refused.value.__cause__)
    assert [] == [half for half in ("se/", "cret", "pa", "ss@", "12", "34") if half in said.replace("password", "")]


@pytest.mark.parametrize("url", ["redis://u:p%2F%40w@host:1/0", "redis://host?password=p@w", "unix:///run/a@b.sock"])
def test_an_address_of_a_redis(url: str) -> None:
    """A password with its special characters as %XX is taken, as are options and paths with an @."""
    connect(url).close()
