"""Defaults and checks of the values of options. ``--help`` imports them, so nothing heavy is imported here."""

from __future__ import annotations

import re
from pathlib import Path

import click

from segue.core.paths import default_data_folder


def default_backbone() -> Path:
    """Returns the file of MusiCNN's weights in the user's folder of data."""
    data = default_data_folder()
    if data is None:
        raise click.UsageError("This user has no home folder for MusiCNN's weights. Name their file with --backbone.")
    return data / "msd-musicnn.npz"


def default_cache() -> Path:
    """Returns the folder of cached features in the user's folder of caches."""
    from segue.trainer.data import feature_cache  # noqa: PLC0415 - imports NumPy, and --help does without

    cache = feature_cache.default_cache()
    if cache is None:
        raise click.UsageError("This user has no home folder for the cache. Name one with --cache or SEGUE_CACHE.")
    return cache


def default_tag_cache() -> Path:
    """Returns the file of cached tags in the user's folder of caches."""
    from segue.trainer.data import feature_cache  # noqa: PLC0415 - imports NumPy, and --help does without

    cache = feature_cache.default_cache()
    if cache is None:
        raise click.UsageError("This user has no home folder for the cache. Name a file with --tag-cache.")
    return cache.parent / "tags.npz"


def check_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Checks that a name can be part of a model id, which names folders, logs and catalogues."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise click.BadParameter(
            "use up to 64 letters, digits, dots, dashes and underscores; begin with a letter or digit."
        )
    return name


def check_tsv(_context: click.Context, _option: click.Parameter, path: Path) -> Path:
    """Checks that the file of a split ends in .tsv."""
    if path.suffix != ".tsv":
        raise click.BadParameter(f"the file of a split ends in .tsv, and {path} does not.")
    return path
