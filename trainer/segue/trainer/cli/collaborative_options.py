"""Options of ``segue-trainer collaborative``; like those of ``options``, they import nothing heavy."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

PLAYS = click.option(
    "--plays",
    type=click.Path(path_type=Path),
    required=True,
    help="Table with the columns user, item and count (tsv or csv), or the folder of hetrec2011-lastfm-2k.",
)
EMBEDDINGS = click.option(
    "--embeddings",
    type=_FILE,
    help="Embeddings of the tracks (npz), which evaluate --predictions writes.  [default: the tags in the folder of "
    "--plays]",
)
ARTISTS = click.option(
    "--artists",
    type=_FILE,
    help="Table with the columns track and artist (tsv or csv), if the items of --plays are artists.  [default: the "
    "items are the tracks]",
)
OUTPUT = click.option(
    "--output",
    type=_FOLDER,
    help="Folder of the factor model; an older one there is replaced.  [default: only measure]",
)
FACTORS = click.option(
    "--factors", metavar="N", type=click.IntRange(1, 1024), default=32, help="Number of factors of a user and an item."
)
REGULARIZATION = click.option(
    "--regularization",
    metavar="X",
    type=click.FloatRange(0, 1e6, min_open=True),
    default=10.0,
    help="Penalty of the factors. With fewer plays, it should be larger.",
)
MIN_USERS = click.option(
    "--min-users",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=5,
    help="Leave out items that fewer users have played.",
)
FOLDS = click.option(
    "--folds", metavar="N", type=click.IntRange(2, 100), default=5, help="Number of folds of items without plays."
)
SEED = click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    help="Random seed; the same seed gives the same result.",
)
THREADS = click.option("--threads", metavar="N", type=click.IntRange(1, 256), default=1, help="Number of threads.")
