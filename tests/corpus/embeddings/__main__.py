"""Compares embeddings for recommendations on real clips (docs/adr/0053).

``python -m tests.corpus.embeddings GTZAN FMA --backbone FILE --tags FILE [--layers FILE] [--seed N]``

GTZAN is a folder of GTZAN's clips. FMA is a folder of clips with a MANIFEST.tsv, whose columns are file, genre, artist
and more. Prints tables of Markdown, with heads that were trained without the artists of the clips: for all clips, for
those of GTZAN, and for the training tracks, by their tags alone. Needs ffmpeg on the PATH.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from segue.trainer.accurate.cross_validation import pad_tags
from segue.trainer.accurate.head import SERVED_WINDOWS, HeadPlan
from segue.trainer.accurate.tags import training_tracks
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.data.dataset import labels_of
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.reporting.markdown import table
from segue.trainer.splits.split import artist_groups, gtzan_artists
from tests.corpus.embeddings.candidates import candidates
from tests.corpus.embeddings.clips import GTZAN, Clip, fma_clips, gtzan_clips
from tests.corpus.embeddings.layers import TAGS, Layers, compute_layers, read_layers, save_layers
from tests.corpus.embeddings.scores import ARTIST_K, GENRE_K, Relations, interval, precisions
from tests.corpus.embeddings.similarities import HeadFor, similarities, trained_heads
from tests.corpus.embeddings.trial import Trial


def run(clips: Sequence[Clip], renditions: Mapping[str, Layers], head_for: HeadFor, genres: int, seed: int) -> Trial:
    """Compares all candidates on clips."""
    compared = candidates(genres)
    return Trial.of(clips, compared, similarities(clips, list(renditions.values()), compared, head_for, _notify, seed))


def tag_table(tracks: Sequence[TaggedTrack], head_for: HeadFor, genres: int) -> list[str]:
    """Compares the former embedding with the mean tags on tracks that have tags alone, and returns a table."""
    groups, (tags, mask) = artist_groups(gtzan_artists()), pad_tags(tracks, SERVED_WINDOWS)
    clips = [Clip(Path(x.track), x.genre, groups.get(x.track, x.track), GTZAN) for x in tracks]
    cosines = similarities(clips, [Layers({TAGS: tags}, mask)], candidates(genres)[:2], head_for, _notify)
    relations = Relations.of(clips)
    rows = [
        (name, *(str(interval(key, x, clips)) for key, x in precisions(values[0], relations).items()))
        for name, values in cosines.items()
    ]
    return table(("embedding", *GENRE_K, *ARTIST_K), rows)


def _notify(text: str) -> None:
    click.echo(text, err=True)


def _load(clips: Sequence[Clip], backbone: Path, kept: Path | None) -> Mapping[str, Layers]:
    if kept and kept.exists():
        return read_layers(kept, clips)
    layers = compute_layers(clips, read_backbone(backbone), lambda number: _notify(f"{number} of {len(clips)} clips"))
    if kept:
        save_layers(kept, clips, layers)
    return layers


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(help=__doc__)
@click.argument("gtzan", type=_FOLDER)
@click.argument("fma", type=_FOLDER)
@click.option("--backbone", type=_FILE, required=True, help="MusiCNN's weights, by segue-trainer import-backbone.")
@click.option("--tags", type=_FILE, required=True, help="MusiCNN's tags of GTZAN's training tracks.")
@click.option("--layers", "kept", type=click.Path(path_type=Path), help="File that keeps the layers for other runs.")
@click.option("--seed", default=0, show_default=True, help="Seed of the folds and the heads.")
def main(gtzan: Path, fma: Path, backbone: Path, tags: Path, kept: Path | None, seed: int) -> None:
    """Prints the tables."""
    clips = [*gtzan_clips(gtzan), *fma_clips(fma)]
    renditions = _load(clips, backbone, kept)
    tracks = training_tracks(tags, None)
    labels = labels_of(track.genre for track in tracks)
    head_for = trained_heads(tracks, labels, HeadPlan(seed=seed))
    trial = run(clips, renditions, head_for, len(labels), seed)
    _print("All clips, with heads that were trained without their artists", trial)
    of_gtzan = np.flatnonzero([clip.collection == GTZAN for clip in clips])
    _print("The same, with the clips of the head's genres alone", trial.select(of_gtzan))
    click.echo(f"## The {len(tracks)} training tracks, with heads that were trained without their artists\n")
    click.echo("\n".join(tag_table(tracks, head_for, len(labels))))


def _print(title: str, trial: Trial) -> None:
    click.echo("\n".join((f"## {title}", "", *trial.lines())))


if __name__ == "__main__":
    main()
