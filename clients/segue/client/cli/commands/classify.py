"""The `segue classify` command."""

from __future__ import annotations

import click

from segue.client.cli import options
from segue.client.cli.options import SharedOptions
from segue.client.errors import SegueError
from segue.v1.classification_service_pb2 import ClassifyResponse

_FIELDS = ("scores", "quality_flags", "missing_seconds", "genre_unknown")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@options.top_k
@options.timeline
@options.tags
@options.embedding
@options.shared_options
@click.pass_context
def classify(
    ctx: click.Context, files: tuple[str, ...], top_k: int | None, timeline: bool, tags: bool, embedding: bool
) -> None:
    """Scores the genres of each FILE; - is standard input."""
    from segue.client.cli.several_files import classify_files  # noqa: PLC0415 - so that --help is quick

    shared = ctx.ensure_object(SharedOptions)
    details = options.requested_details(shared, timeline=timeline, embedding=embedding, tags=tags)
    output = shared.make_output(details)
    read_mask = [*_FIELDS, *details] if details else None
    any_failed = lacks_tags = False
    with shared.open_client() as client:
        for file, outcome in classify_files(client, files, top_k, read_mask, shared.timeout):
            any_failed |= isinstance(outcome, SegueError)
            lacks_tags |= tags and isinstance(outcome, ClassifyResponse) and not outcome.tags
            output.classification(file, outcome)
    output.finish()
    if lacks_tags:
        click.echo("segue: The server's model predicts no tags.", err=True)
    ctx.exit(1 if any_failed else 0)
