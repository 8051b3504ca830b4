"""The `segue track`, `segue tracks` and `segue status` commands."""

from __future__ import annotations

import click

from segue.client.cli.options import SharedOptions, shared_options

_PAGE_SIZE = 1000


@click.command()
@click.argument("track_id")
@shared_options
@click.pass_obj
def track(shared: SharedOptions, track_id: str) -> None:
    """Shows a track of the catalogue."""
    with shared.open_client() as client:
        shared.make_output().track(client.get_track(track_id))


@click.command()
@shared_options
@click.pass_obj
def tracks(shared: SharedOptions) -> None:
    """Lists the tracks of the catalogue in the order of their ids."""
    with shared.open_client() as client:
        shared.make_output().tracks(client.list_tracks(page_size=_PAGE_SIZE))


@click.command()
@shared_options
@click.pass_obj
def status(shared: SharedOptions) -> None:
    """Shows the version and the model of the server, and the size of its catalogue."""
    with shared.open_client() as client:
        shared.make_output().status(shared.address, client.status())
