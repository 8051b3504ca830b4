"""Compares designs of the head on the same tracks, over several draws of the folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from segue.core.quantities import quantity
from segue.trainer.accurate.cross_validation import Design, TagArrays, cross_validate
from segue.trainer.accurate.head import DISCRIMINANTS, JUDGES, NETWORKS, REGRESSION, HeadPlan
from segue.trainer.cross_validation.scores import Scores
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.evaluation.artists import ArtistSample, Interval
from segue.trainer.reporting.markdown import table

FORMER: Design = (DISCRIMINANTS, NETWORKS)
"""The design that the others are compared with."""

DESIGNS: tuple[Design, ...] = (FORMER, JUDGES, (DISCRIMINANTS,), (NETWORKS,), (REGRESSION,))

# A head has no part in the embedding, and so none in the precision of recommendations.
_COMPARED = ("log-loss", "accuracy")

NEGLIGIBLE = 0.03
"""Differences below this are negligible, whatever their interval: another 443 tracks would move them more."""


@dataclass(frozen=True)
class HeadTrial:
    """The scores of each design over the same draws of the folds.

    Attributes:
        labels: the genres.
        draws: number of draws.
        arrays: the tracks.
        scores: scores of each design.
    """

    labels: tuple[str, ...]
    draws: int
    arrays: TagArrays
    scores: Mapping[Design, Scores]

    @property
    def sample(self) -> ArtistSample:
        """Returns the genres and artists of the tracks."""
        return self.arrays.sample

    def lines(self) -> Iterator[str]:
        """Yields the results as lines of Markdown."""
        tracks, artists = len(self.arrays.genres), self.sample.effective_artists()
        yield (
            f"{tracks:,} tracks, worth {artists:.0f} artists with equally many tracks; "
            f"{quantity(self.draws, 'draw')} of five folds that keep artists together. In brackets: 95 % intervals "
            "over artists, drawn within genres. Log-loss is in nats, at temperatures that other tracks fitted."
        )
        yield ""
        yield from table(("design", *_COMPARED), map(self._row, self.scores))
        yield ""
        head = (f"gain over {_name(FORMER)}", *_COMPARED, "result")
        yield from table(head, (self._gain_row(design) for design in self.scores if design != FORMER))
        yield ""
        yield from table(
            ("genre", "tracks", "worth artists", "log-loss before", "log-loss", "accuracy before", "accuracy"),
            (self._genre_row(number, label) for number, label in enumerate(self.labels)),
        )

    def gain(self, design: Design) -> dict[str, Interval]:
        """Computes by how much a design is better than the former one, by the name of the score."""
        gains = self.scores[design].gains(self.scores[FORMER])
        return {name: self.sample.interval(gains[name]) for name in _COMPARED}

    def _row(self, design: Design) -> tuple[str, ...]:
        scores = self.scores[design]
        return _name(design), *(str(self.sample.interval(values)) for values in (scores.loss, scores.right))

    def _gain_row(self, design: Design) -> tuple[str, ...]:
        gains = self.gain(design)
        return _name(design), *(f"{gain:+.3f}" for gain in gains.values()), judgement(gains["log-loss"])

    def _genre_row(self, number: int, label: str) -> tuple[str, ...]:
        inside = self.arrays.genres == number
        former, present = self.scores[FORMER], self.scores[JUDGES]
        figures = (former.loss, present.loss, former.right, present.right)
        artists = f"{self.sample.effective_artists(number):.1f}"
        return label, str(inside.sum()), artists, *(f"{values[inside].mean():.3f}" for values in figures)


def judgement(gain: Interval) -> str:
    """Returns the result of a comparison in words."""
    if not gain.excludes_zero:
        return "no clear difference"
    size = ", by a negligible amount" if abs(gain.mean) < NEGLIGIBLE else ""
    return f"{'better' if gain.mean > 0 else 'worse'}{size}"


def compare_heads(
    tracks: Sequence[TaggedTrack],
    labels: tuple[str, ...],
    plan: HeadPlan,
    draws: int,
    report: Callable[[int, int], None] = lambda draw, fold: None,
) -> HeadTrial:
    """Evaluates all designs by cross-validation over artists, in several draws of the folds.

    Args:
        tracks: the tracks.
        labels: the genres, in the order of the posterior.
        plan: settings of the heads; the draws have its seed and those after it.
        draws: number of draws, 1 or above.
        report: called before each fold with the numbers of the draw and of the fold, from 0.

    Raises:
        DataUnusable: a genre has too few artists for five folds.
    """
    validated = [
        cross_validate(tracks, labels, replace(plan, seed=plan.seed + draw), DESIGNS, _reporter(report, draw))
        for draw in range(draws)
    ]
    scores = {design: Scores.of([draw[design] for draw in validated]) for design in DESIGNS}
    return HeadTrial(labels, draws, TagArrays.of(tracks, labels, plan.windows), scores)


def _reporter(report: Callable[[int, int], None], draw: int) -> Callable[[int], None]:
    return lambda fold: report(draw, fold)


def _name(design: Design) -> str:
    return " + ".join(design)
