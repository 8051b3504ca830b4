"""The ``segue-server`` command."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from segue.core.errors import SegueError
from segue.core.extras import require_extra
from segue.core.places import default_data_folder, default_model


def _address(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    # gRPC would take a port modulo 65,536, and 443 where there is none.
    if not value.startswith("unix:") and not _is_tcp(value):
        raise click.BadParameter(f"{value!r} is no address; write HOST:PORT with a port of 0 to 65535, or unix:PATH.")
    return value


def _tcp_address(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _is_tcp(value):
        raise click.BadParameter(f"{value!r} is no address; write HOST:PORT with a port of 0 to 65535.")
    return value


def _is_tcp(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) < 2**16


@click.command(context_settings={"show_default": True, "max_content_width": 120})
@click.option(
    "--listen",
    default="127.0.0.1:50051",
    envvar="SEGUE_LISTEN",
    callback=_address,
    help="HOST:PORT or unix:PATH to answer on.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data_folder,
    show_default="segue in your own data folder",
    envvar="SEGUE_DATA",
    help="Where Segue keeps its state; share it with segue-indexer.",
)
@click.option("--redis", envvar="SEGUE_REDIS", help="URL of a Redis server.  [default: a private one in --data]")
@click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_model,
    show_default="the one that ships",
    envvar="SEGUE_MODEL",
    help="The artifact's folder.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    show_default="one for each core",
    envvar="SEGUE_WORKERS",
    help="How many pieces are heard at once.",
)
@click.option(
    "--most-waiting",
    type=click.IntRange(1, 10_000),
    default=64,
    envvar="SEGUE_MOST_WAITING",
    help="How many pieces may wait or be heard; one more is answered OVERLOADED.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=10.0,
    envvar="SEGUE_GRACE",
    help="Seconds that calls under way may take to finish after SIGTERM.",
)
@click.option(
    "--metrics-listen",
    envvar="SEGUE_METRICS_LISTEN",
    callback=_tcp_address,
    help="HOST:PORT to show Prometheus metrics on.  [default: nowhere]",
)
@click.version_option(package_name="segue")
def main(
    *,
    listen: str,
    data: Path,
    redis: str | None,
    model: Path,
    workers: int,
    most_waiting: int,
    grace: float,
    metrics_listen: str | None,
) -> None:
    """Tells the genre of music and what to play next, over gRPC."""
    require_extra("server", "hnswlib", "redis", "tensorflow", "grpc_health", "grpc_reflection", "prometheus_client")
    signal.signal(signal.SIGTERM, _stop_starting)
    logging.basicConfig(level=logging.INFO, format="segue-server: %(message)s")
    from segue.server.bootstrap import Settings  # noqa: PLC0415 - so that --help is quick
    from segue.server.lifecycle import serve  # noqa: PLC0415 - likewise
    from segue.server.metrics import Metrics, served  # noqa: PLC0415 - likewise

    metrics = Metrics()
    settings = Settings(data, redis, model, workers, most_waiting)
    try:
        with served(metrics, metrics_listen):
            asyncio.run(serve(settings, metrics, listen, grace))
    except (SegueError, OSError) as error:
        click.echo(f"segue-server: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _stop_starting(_number: int, _frame: FrameType | None) -> None:
    """Ends a server that is told to stop before it serves, in good order: what it started is stopped with it."""
    sys.exit(0)
