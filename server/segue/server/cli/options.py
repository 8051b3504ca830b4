"""The settings of the server, each declared once; ``config`` tells where else than here they may stand."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import click

from segue.core.paths import DEFAULT_MODEL, default_data_folder, default_model, resolve_model
from segue.server.cli.config_file import Setting, read_config
from segue.server.settings import DEFAULT_LISTEN, LOG_FORMATS, LOG_LEVELS

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _address(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    # gRPC would take a port modulo 65,536, and 443 where there is none.
    if not value.removeprefix("unix:") or (not value.startswith("unix:") and not _is_tcp(value)):
        raise click.BadParameter(f"{value!r} is no address; write HOST:PORT with a port of 0 to 65535, or unix:PATH.")
    return value


def _tcp_address(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _is_tcp(value):
        raise click.BadParameter(f"{value!r} is no address; write HOST:PORT with a port of 0 to 65535.")
    return value


def _is_tcp(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return _is_host(host) and port.isascii() and port.isdecimal() and int(port) < 2**16


def _is_host(name: str) -> bool:
    try:
        return bool(name.encode("idna"))
    except UnicodeError:  # which whoever looks the name up would raise, too
        return False


class _Ranged(click.ParamType):  # type: ignore[type-arg] # generic in its types alone
    """Names its range also to whom it is no number, where click does not."""

    def fail(self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> NoReturn:
        """Refuses a value."""
        described = f" in the range {cast('_Seconds', self)._describe_range()}."
        super().fail(message.replace(" range.", described), param, ctx)


class _Count(_Ranged, click.IntRange):
    """A whole number in a range."""


class _Seconds(_Ranged, click.FloatRange):
    """A number in a range, in which NaN is not, though no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Reads it, or says what is wrong."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


_OPTIONS = (
    click.option(
        "--config",
        type=_FILE,
        envvar="SEGUE_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=read_config,
        help="A TOML file with any of the options below, each by its name without the dashes.",
    ),
    click.option(
        "--listen",
        cls=Setting,
        default=DEFAULT_LISTEN,
        callback=_address,
        help="HOST:PORT or unix:PATH to answer on.",
    ),
    click.option(
        "--listen-when-ready",
        cls=Setting,
        is_flag=True,
        help="Open the port only when everything is loaded, for a balancer that does not ask for the health.",
    ),
    click.option(
        "--data",
        cls=Setting,
        type=_FOLDER,
        default=default_data_folder,
        show_default="segue in your own data folder",
        help="Where Segue keeps its state; share it with segue-indexer.",
    ),
    click.option("--redis", cls=Setting, help="URL of a Redis server.  [default: a private one in --data]"),
    click.option(
        "--model",
        cls=Setting,
        type=resolve_model,
        metavar="NAME|DIR",
        default=default_model,
        show_default=DEFAULT_MODEL,
        help="The network: one that ships, by its name, or an artifact's folder.",
    ),
    click.option(
        "--workers",
        cls=Setting,
        type=_Count(1, 256),
        default=lambda: os.cpu_count() or 1,
        show_default="one for each core",
        help="How many processes decode.",
    ),
    click.option(
        "--queue-seconds",
        cls=Setting,
        type=_Seconds(1, 1_000_000),
        default=2400.0,
        help="Seconds of audio that may wait or be heard; what is more is answered OVERLOADED.",
    ),
    click.option(
        "--grace",
        cls=Setting,
        type=_Seconds(0, 3600),
        default=10.0,
        help="Seconds that calls under way may take to finish after SIGTERM and --drain.",
    ),
    click.option(
        "--drain",
        cls=Setting,
        type=_Seconds(0, 3600),
        default=0.0,
        help="Seconds to take calls after SIGTERM while health says NOT_SERVING, so that balancers notice.",
    ),
    click.option(
        "--max-connection-age",
        cls=Setting,
        type=_Seconds(0, 86_400),
        default=3600.0,
        help="Seconds after which callers are asked to connect anew, so that balancers spread them; 0 is never.",
    ),
    click.option(
        "--metrics-listen",
        cls=Setting,
        callback=_tcp_address,
        help="HOST:PORT to show Prometheus metrics on.  [default: nowhere]",
    ),
    click.option(
        "--tls-certificate",
        cls=Setting,
        type=_FILE,
        help="PEM file of the server's certificate and those between it and a root.  [default: no TLS]",
    ),
    click.option("--tls-key", cls=Setting, type=_FILE, help="PEM file of the certificate's key.  [default: none]"),
    click.option(
        "--tls-client-ca",
        cls=Setting,
        type=_FILE,
        help="PEM file of the roots that every client's certificate must come from.  [default: clients need none]",
    ),
    click.option(
        "--balancer-certificate",
        cls=Setting,
        type=_FILE,
        help="PEM file of the certificate that a balancer in front shows; the metrics tell when it ends.  "
        "[default: none]",
    ),
    click.option(
        "--tokens",
        cls=Setting,
        type=_FILE,
        help="File of the tokens that may call, as `segue-server token new` makes them.  [default: everyone may]",
    ),
    click.option(
        "--log-format",
        cls=Setting,
        type=click.Choice(LOG_FORMATS),
        default="text",
        help="Lines for people, or a JSON object a line.",
    ),
    click.option(
        "--log-level",
        cls=Setting,
        type=click.Choice(LOG_LEVELS),
        default="info",
        help="The least that is logged; debug has a line for every call, info for those that fail.",
    ),
)


def server_options(command: Command) -> Command:
    """Declares every setting of the server; the command takes them as keyword arguments, the fields of ``Settings``."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)
