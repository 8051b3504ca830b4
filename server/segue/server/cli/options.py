"""The options of the server, each declared once; they are the fields of ``Settings``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from segue.core.model.engine_option import engine_option
from segue.core.paths import DEFAULT_MODEL, NO_DATA_FOLDER, default_data_folder, resolve_model
from segue.core.settings.options import SettingOption, config_option
from segue.core.settings.visible_secrets import warn_of_visible_password
from segue.server.cli.param_types import CountRange, NumberRange, health_address, listen_address, tcp_address
from segue.server.settings import DEFAULT_LISTEN, LOG_FORMATS, LOG_LEVELS, Settings

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

_OPTIONS = (
    config_option("server"),
    click.option(
        "--listen",
        metavar="ADDRESS",
        cls=SettingOption,
        default=DEFAULT_LISTEN,
        callback=listen_address,
        help="Address of the server, HOST:PORT or unix:PATH.",
    ),
    click.option(
        "--listen-when-ready",
        cls=SettingOption,
        is_flag=True,
        help="Open the port only after everything is loaded, for load balancers without health checks.",
    ),
    click.option(
        "--health-listen",
        metavar="ADDRESS",
        cls=SettingOption,
        callback=health_address,
        help="Address of another port, for health checks alone; no caller of --listen can occupy it.",
    ),
    click.option(
        "--data",
        cls=SettingOption,
        type=_FOLDER,
        default=default_data_folder,
        show_default="~/.local/share/segue",
        help="Folder where Segue keeps its state; use the same for segue-indexer.",
    ),
    click.option(
        "--redis",
        cls=SettingOption,
        metavar="URL",
        callback=warn_of_visible_password,
        help="URL of a Redis server.  [default: a private one in --data]",
    ),
    click.option(
        "--model",
        cls=SettingOption,
        type=resolve_model,
        metavar="NAME|DIR",
        help="Name of a model that ships with Segue, or folder of a trained model.  [default: the model that built the "
        f"catalogue, else {DEFAULT_MODEL}]",
    ),
    engine_option,
    click.option(
        "--workers",
        metavar="N",
        cls=SettingOption,
        type=CountRange(1, 256),
        default=lambda: os.cpu_count() or 1,
        show_default="one for each core",
        help="Number of decoding processes.",
    ),
    click.option(
        "--clip-mib",
        metavar="MIB",
        cls=SettingOption,
        type=CountRange(1, 256),
        default=16,
        help="Largest clip in one message, in MiB.",
    ),
    click.option(
        "--stream-mib",
        metavar="MIB",
        cls=SettingOption,
        type=CountRange(1, 4000),
        default=1024,
        help="Largest clip in a stream, in MiB.",
    ),
    click.option(
        "--receive-mib",
        metavar="MIB",
        cls=SettingOption,
        type=CountRange(128, 1_000_000),
        help="Memory for messages that are arriving, in MiB; further calls fail with OVERLOADED.  [default: an eighth "
        "of the machine's]",
    ),
    click.option(
        "--metadata-mib",
        metavar="MIB",
        cls=SettingOption,
        type=CountRange(1, 1_000_000),
        default=128,
        help="Memory for the metadata of tracks, in MiB; that of other tracks is read from Redis for each call.",
    ),
    click.option(
        "--spool",
        cls=SettingOption,
        type=_FOLDER,
        help="Folder for the clips of streams while they arrive.  [default: the system's temporary folder]",
    ),
    click.option(
        "--spool-mib",
        metavar="MIB",
        cls=SettingOption,
        type=CountRange(1, 1_000_000),
        default=4096,
        help="Disk space for the clips of all streams, in MiB; further ones fail with OVERLOADED.",
    ),
    click.option(
        "--queue-seconds",
        metavar="SECONDS",
        cls=SettingOption,
        type=NumberRange(1, 1_000_000),
        default=2400.0,
        help="Seconds of audio that may be queued or in progress; further calls fail with OVERLOADED.",
    ),
    click.option(
        "--drain",
        metavar="SECONDS",
        cls=SettingOption,
        type=NumberRange(0, 3600),
        default=0.0,
        help="Seconds after SIGTERM in which the server still accepts calls but its health is NOT_SERVING, so that "
        "load balancers can notice.",
    ),
    click.option(
        "--grace",
        metavar="SECONDS",
        cls=SettingOption,
        type=NumberRange(0, 3600),
        default=10.0,
        help="Time limit in seconds for calls in progress when the server stops; it begins when --drain has ended.",
    ),
    click.option(
        "--max-connection-age",
        metavar="SECONDS",
        cls=SettingOption,
        type=NumberRange(0, 86_400),
        default=3600.0,
        help="Seconds after which a connection is closed, so that load balancers can move its client to another "
        "server; 0 means never.",
    ),
    click.option(
        "--allow-writes",
        cls=SettingOption,
        is_flag=True,
        help="Let callers add, change and delete tracks; with --tokens, those whose token has the scope write.",
    ),
    click.option(
        "--recall-sample",
        metavar="SHARE",
        cls=SettingOption,
        type=NumberRange(0, 1),
        default=0.01,
        help="Share of the searches that are repeated exactly in the background, for the metrics of recall; 0 to 1.",
    ),
    click.option(
        "--metrics-listen",
        metavar="HOST:PORT",
        cls=SettingOption,
        callback=tcp_address,
        help="HOST:PORT for Prometheus metrics.  [default: no metrics]",
    ),
    click.option(
        "--tls-certificate",
        cls=SettingOption,
        type=_FILE,
        help="PEM file of the server's certificate and its intermediate certificates.  [default: no TLS]",
    ),
    click.option(
        "--tls-key", cls=SettingOption, type=_FILE, help="PEM file of the certificate's key.  [default: none]"
    ),
    click.option(
        "--tls-client-ca",
        cls=SettingOption,
        type=_FILE,
        help="PEM file of root certificates. Every client needs a certificate that one of them issued.  "
        "[default: clients need none]",
    ),
    click.option(
        "--balancer-certificate",
        cls=SettingOption,
        type=_FILE,
        help="PEM file of the load balancer's certificate; a metric reports when it expires.  [default: none]",
    ),
    click.option(
        "--tokens",
        cls=SettingOption,
        type=_FILE,
        help="File of access tokens, one line for each, as `segue-server token new` prints it.  "
        "[default: no token needed]",
    ),
    click.option(
        "--log-format",
        cls=SettingOption,
        type=click.Choice(LOG_FORMATS),
        default="text",
        help="Format of the log: text, or one JSON object per line.",
    ),
    click.option(
        "--log-level",
        cls=SettingOption,
        type=click.Choice(LOG_LEVELS),
        default="info",
        help="Lowest level that is logged: debug includes every call, info only those that fail.",
    ),
)


def server_options(command: CommandFunction) -> CommandFunction:
    """Adds every option of the server to a command, which receives the fields of ``Settings`` as keyword arguments."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def make_settings(values: dict[str, Any]) -> Settings:
    """Makes the settings from the values of the options.

    Raises:
        click.UsageError: the user has no home folder, and no data folder is named. A command of the group gets there
            without one, so this cannot be found where the option is parsed. Or health has the port of all calls.
    """
    if values["data"] is None:
        raise click.UsageError(NO_DATA_FOLDER)
    # gRPC would replace a socket silently, and say of a port only that it is in use.
    if values["health_listen"] == values["listen"] and not values["listen"].endswith(":0"):
        raise click.UsageError(f"--health-listen and --listen are both {values['listen']}. Name two addresses.")
    return Settings(**values)
