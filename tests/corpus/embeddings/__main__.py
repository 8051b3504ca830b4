"""Compares embeddings for recommendations on real clips (docs/adr/0053).

``python -m tests.corpus.embeddings GTZAN FMA --backbone FILE --tags FILE [--layers FILE]``

GTZAN is a folder of GTZAN's clips. FMA is a folder of clips with a MANIFEST.tsv, whose columns are file, genre, artist
and more. Prints tables of Markdown: first with heads that were trained without the artists of the clips, and then with
the model that ships, on the clips by artists that it was not trained on. Needs ffmpeg on the PATH.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from segue.core.model.saved_model import Model
from segue.core.paths import default_model
from segue.trainer.accurate.head import HeadPlan
from segue.trainer.accurate.tags import training_tracks
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.data.dataset import labels_of
from segue.trainer.evaluation.artists import Interval
from segue.trainer.reporting.report import table
from segue.trainer.splits.split import SAVED, TRAIN, gtzan_artists, load_split
from segue.trainer.splits.strategies import artist_groups
from tests.corpus.embeddings.candidates import Candidate, candidates
from tests.corpus.embeddings.clips import RENDITIONS, Clip, fma_clips, gtzan_clips
from tests.corpus.embeddings.layers import Layers, compute_layers, read_layers, save_layers
from tests.corpus.embeddings.scores import (
    ARTIST_5,
    ARTIST_FIRST,
    GENRE_5,
    GENRE_10,
    OVERLAP,
    OWN_FIRST,
    Relations,
    Scores,
    interval,
    overlaps,
    score,
    verdict,
)
from tests.corpus.embeddings.similarities import HeadFor, shipped_head, similarities, trained_heads

_SCORES = (GENRE_5, GENRE_10, ARTIST_5, ARTIST_FIRST, OVERLAP, OWN_FIRST)
_FLOAT_BYTES = 4


class Trial(NamedTuple):
    """The results of all candidates on the same clips.

    Attributes:
        clips: the clips.
        candidates: the embeddings; the others are compared with the first.
        scores: scores of each candidate.
        overlaps: mean overlap@10 of each rendition but the first, for each candidate.
    """

    clips: Sequence[Clip]
    candidates: Sequence[Candidate]
    scores: Mapping[str, Scores]
    overlaps: Mapping[str, list[float]]

    def gains(self, name: str) -> dict[str, Interval]:
        """Computes by how much the scores of a candidate are better than today's."""
        mine, today = self.scores[name], self.scores[self.candidates[0].name]
        return {key: interval(key, mine[key] - today[key], self.clips) for key in _SCORES}

    def lines(self) -> Iterator[str]:
        """Yields the results as lines of Markdown."""
        yield (
            f"{len(self.clips)} clips by {len({clip.group for clip in self.clips})} artists; seeds of genre precision: "
            f"{self._seeds(GENRE_5)}, of same-artist precision: {self._seeds(ARTIST_5)}."
        )
        yield ""
        yield from table(("embedding", "numbers", "bytes", *_SCORES), map(self._row, self.candidates))
        yield ""
        yield from table(("gain over today's", *_SCORES, "result"), map(self._gain_row, self.candidates[1:]))
        yield ""
        yield from table(("overlap@10", *RENDITIONS[1:]), map(self._overlap_row, self.candidates))
        yield ""

    def _seeds(self, key: str) -> str:
        rows = np.flatnonzero(~np.isnan(self.scores[self.candidates[0].name][key])).tolist()
        return f"{len(rows)} clips by {len({self.clips[row].group for row in rows})} artists"

    def _row(self, candidate: Candidate) -> tuple[str, ...]:
        scores = self.scores[candidate.name]
        figures = (str(interval(key, scores[key], self.clips)) for key in _SCORES)
        return candidate.name, str(candidate.width), str(_FLOAT_BYTES * candidate.width), *figures

    def _gain_row(self, candidate: Candidate) -> tuple[str, ...]:
        gains = self.gains(candidate.name)
        return candidate.name, *(f"{gain:+.3f}" for gain in gains.values()), verdict(gains)

    def _overlap_row(self, candidate: Candidate) -> tuple[str, ...]:
        return candidate.name, *(f"{share:.3f}" for share in self.overlaps[candidate.name])


def run(clips: Sequence[Clip], renditions: Mapping[str, Layers], head_for: HeadFor, genres: int) -> Trial:
    """Compares all candidates on clips."""
    compared = candidates(genres)
    cosines = similarities(clips, list(renditions.values()), compared, head_for, _notify)
    relations = Relations.of(clips)
    scores = {name: score(values, relations) for name, values in cosines.items()}
    return Trial(clips, compared, scores, {name: overlaps(x).mean(1).tolist() for name, x in cosines.items()})


def unknown_rows(clips: Sequence[Clip], trained_on: Path) -> list[int]:
    """Returns the rows of the clips by artists that are not on the training side of a split."""
    split, groups = load_split(str(trained_on)), artist_groups(gtzan_artists())
    known = {groups.get(track, track) for track, side in split.sides.items() if side == TRAIN}
    return [row for row, clip in enumerate(clips) if clip.group not in known]


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
def main(gtzan: Path, fma: Path, backbone: Path, tags: Path, kept: Path | None) -> None:
    """Prints the tables."""
    clips = [*gtzan_clips(gtzan), *fma_clips(fma)]
    renditions = _load(clips, backbone, kept)
    tracks = training_tracks(tags, None)
    labels = labels_of(track.genre for track in tracks)
    click.echo("Heads that were trained without the artists of the clips\n")
    click.echo("\n".join(run(clips, renditions, trained_heads(tracks, labels, HeadPlan()), len(labels)).lines()))
    rows = unknown_rows(clips, default_model() / SAVED)
    unknown = {name: layers.select(np.array(rows)) for name, layers in renditions.items()}
    model = Model.load(default_model())
    click.echo("The model that ships, clips by artists that it was not trained on\n")
    trial = run([clips[row] for row in rows], unknown, shipped_head(model), len(model.manifest.labels))
    click.echo("\n".join(trial.lines()))


if __name__ == "__main__":
    main()
