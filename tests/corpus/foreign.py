"""Measures novelty on music of other genres: ``python -m tests.corpus.foreign KNOWN FOREIGN [--genre GENRE]...``.

KNOWN is a folder of clips of the model's genres; those that the model was trained on are left out. FOREIGN is a folder
of clips with a MANIFEST.tsv, whose columns are file, genre, artist and more. Prints the area under the ROC curve with
its 95 % interval over artists, and the shares of clips that are flagged. Exits with 1 if the area is below 0.75.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from sklearn.metrics import roc_auc_score

from segue.core.features.extract import extract
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.paths import default_model
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.splits.split import SAVED, TRAIN, gtzan_artists, load_split

LEAST_AREA = 0.75
# Of the clips of the Free Music Archive at hand, those that GTZAN has nothing like.
_GENRES = ("Folk", "Free Folk", "Noise", "Latin", "International")


class Clip(NamedTuple):
    """The file of a clip, and its artist."""

    path: Path
    artist: str


def known_clips(folder: Path, trained_on: Path) -> list[Clip]:
    """Returns the clips of a folder that are not on the training side of a split."""
    split, artists = load_split(str(trained_on)), gtzan_artists()
    paths = sorted(folder.rglob("*.flac"))
    return [Clip(path, artists.get(path.stem) or path.stem) for path in paths if split.sides.get(path.stem) != TRAIN]


def foreign_clips(folder: Path, genres: tuple[str, ...]) -> list[Clip]:
    """Returns the clips of a folder that have one of the genres."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return [Clip(folder / name, artist) for name, genre, artist, *_ in rows if genre in genres]


def measure(clips: list[Clip], model: Model) -> list[float]:
    """Returns the novelty of each clip."""
    config, windows = model.manifest.features, model.manifest.windows
    predictions = model.predict([extract(clip.path, config, windows).windows for clip in clips])
    return [prediction.novelty for prediction in predictions if prediction.novelty is not None]


@click.command(help=__doc__)
@click.argument("known", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("foreign", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--genre", "genres", multiple=True, default=_GENRES, show_default=True, help="Genre of foreign clips.")
def main(known: Path, foreign: Path, genres: tuple[str, ...]) -> None:
    """Prints the figures, and exits with 1 if the area is too small."""
    model = load_model(default_model())
    if (limit := model.manifest.novelty_limit) is None:
        raise click.ClickException("The default model measures no novelty.")
    groups = (known_clips(known, default_model() / SAVED), foreign_clips(foreign, genres))
    novelty = np.array([value for clips in groups for value in measure(clips, model)])
    is_foreign = np.repeat([0, 1], [len(clips) for clips in groups])
    sample = ArtistSample(is_foreign, np.array([clip.artist for clips in groups for clip in clips]))
    area = sample.interval_of(lambda weights: float(roc_auc_score(is_foreign, novelty, sample_weight=weights)))
    flagged = novelty > limit
    click.echo(f"area under the ROC curve: {area}")
    for group, (name, clips) in enumerate(zip(("known", "foreign"), groups, strict=True)):
        artists, share = len({clip.artist for clip in clips}), flagged[is_foreign == group].mean()
        click.echo(f"{name}: {len(clips)} clips of {artists} artists, {100 * share:.0f} % flagged")
    sys.exit(area.mean < LEAST_AREA)


if __name__ == "__main__":
    main()
