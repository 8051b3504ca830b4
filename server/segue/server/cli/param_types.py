"""Parameter types of the options: addresses and numbers in a range."""

from __future__ import annotations

import math
from typing import Any, NoReturn, cast

import click


def listen_address(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    """Checks HOST:PORT or unix:PATH."""
    # gRPC would use the port modulo 65,536, and 443 without a port.
    if not value.removeprefix("unix:") or (not value.startswith("unix:") and not _is_tcp(value)):
        raise click.BadParameter(
            f"{value!r} is not an address; write HOST:PORT with a port of 0 to 65535, or unix:PATH."
        )
    return value


def tcp_address(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Checks HOST:PORT, or None."""
    if value is not None and not _is_tcp(value):
        raise click.BadParameter(f"{value!r} is not an address; write HOST:PORT with a port of 0 to 65535.")
    return value


def _is_tcp(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return _is_host(host) and port.isascii() and port.isdecimal() and int(port) < 2**16


def _is_host(name: str) -> bool:
    try:
        return bool(name.encode("idna"))
    except UnicodeError:  # a lookup of the name would raise it as well
        return False


class _Ranged(click.ParamType):  # type: ignore[type-arg] # generic in its types alone
    """A number whose error names the range, also for text that is not a number."""

    def fail(self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> NoReturn:
        """Raises the error for a value."""
        described = f" in the range {cast('SecondsRange', self)._describe_range()}."
        super().fail(message.replace(" range.", described), param, ctx)


class CountRange(_Ranged, click.IntRange):
    """A whole number in a range."""


class SecondsRange(_Ranged, click.FloatRange):
    """A number in a range; rejects NaN, which click accepts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Converts a text to a number, or raises an error."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number
