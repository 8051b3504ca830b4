"""Parameter types of the options: addresses and numbers in a range."""

from __future__ import annotations

import math
from typing import Any

import click


def listen_address(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    """Checks HOST:PORT or unix:PATH."""
    # gRPC would use the port modulo 65,536, and 443 without a port.
    if not value.removeprefix("unix:") or (not value.startswith("unix:") and not _is_tcp(value)):
        raise click.BadParameter(
            f"{value!r} is not an address; write HOST:PORT with a port of 0 to 65535, or unix:PATH."
        )
    return value


def health_address(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Checks HOST:PORT or unix:PATH, or None."""
    return value and listen_address(ctx, option, value)


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


class CountRange(click.IntRange):
    """A whole number in a range, which every error names."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's own signature
        """Converts a text to a number, or raises an error."""
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a whole number from {self.min:,} to {self.max:,}.", param, ctx)
        return number


class NumberRange(click.FloatRange):
    """A number in a range, which every error names; NaN, which click accepts, is in no range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Converts a text to a number, or raises an error."""
        try:
            number: float = super().convert(value, param, ctx)
        except click.BadParameter:
            number = math.nan
        if math.isnan(number):
            self.fail(f"{value!r} is not a number from {self.min:,} to {self.max:,}.", param, ctx)
        return number
