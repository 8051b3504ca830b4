"""The command ``segue-server models``: lists model artifacts with the figures of their manifests."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from segue.core.paths import shipped_models
from segue.server.cli.model_list import find_models
from segue.server.cli.report import print_json, print_models


@click.command()
@click.argument(
    "folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="[FOLDER]..."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Lists the models that ship with Segue, and those in each FOLDER.

    clips is the number of clips that the figures come from, P@10 the share of ten recommendations with the genre of the
    seed, and cost the processor time for a clip of 30 s, in units of the time that librosa's log-mel of it takes.

    Exits with 1 if one of them is damaged.
    """
    listed = find_models([shipped_models(), *folders])
    if as_json:
        print_json({"models": [asdict(model) for model in listed]})
    else:
        print_models(listed)
    sys.exit(1 if any(model.problem for model in listed) else 0)
