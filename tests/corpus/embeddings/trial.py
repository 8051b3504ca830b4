"""The results of a trial as tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.trainer.arrays import Floats, Positions
from segue.trainer.evaluation.artists import Interval
from segue.trainer.reporting.markdown import table
from tests.corpus.embeddings.candidates import Candidate
from tests.corpus.embeddings.clips import RENDITIONS, Clip
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

_SCORES = (GENRE_5, GENRE_10, ARTIST_5, ARTIST_FIRST, OVERLAP, OWN_FIRST)
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Trial:
    """The results of all candidates on the same clips.

    Attributes:
        clips: the clips.
        candidates: the embeddings; the others are compared with the first.
        cosines: cosines [renditions, n, n] of each candidate, from a rendition of one clip to another clip.
        scores: scores of each candidate.
    """

    clips: Sequence[Clip]
    candidates: Sequence[Candidate]
    cosines: Mapping[str, Floats]
    scores: Mapping[str, Scores]

    @classmethod
    def of(cls, clips: Sequence[Clip], compared: Sequence[Candidate], cosines: Mapping[str, Floats]) -> Trial:
        """Computes the scores of candidates."""
        relations = Relations.of(clips)
        return cls(clips, compared, cosines, {name: score(values, relations) for name, values in cosines.items()})

    def select(self, rows: Positions) -> Trial:
        """Returns the trial with some of the clips as the whole catalogue."""
        cosines = {name: values[:, rows][:, :, rows] for name, values in self.cosines.items()}
        return self.of([self.clips[row] for row in rows.tolist()], self.candidates, cosines)

    def gains(self, candidate: Candidate, other: Candidate) -> dict[str, Interval]:
        """Computes by how much the scores of a candidate are better than those of another one."""
        mine, theirs = self.scores[candidate.name], self.scores[other.name]
        return {key: interval(key, mine[key] - theirs[key], self.clips) for key in _SCORES}

    def better(self) -> list[Candidate]:
        """Returns the candidates that the rule calls better than the first one, the smallest first."""
        former, *rest = self.candidates
        found = [candidate for candidate in rest if verdict(self.gains(candidate, former)).startswith("better")]
        return sorted(found, key=lambda candidate: candidate.width)

    def lines(self) -> Iterator[str]:
        """Yields the results as lines of Markdown."""
        yield (
            f"{len(self.clips)} clips by {len({clip.group for clip in self.clips})} artists; seeds of genre precision: "
            f"{self._seeds(GENRE_5)}, of same-artist precision: {self._seeds(ARTIST_5)}."
        )
        yield ""
        yield from table(("embedding", "numbers", "bytes", *_SCORES), map(self._row, self.candidates))
        yield ""
        yield from self._gain_table(self.candidates[1:], self.candidates[0])
        for number, smaller in enumerate(better := self.better()):
            yield from self._gain_table(better[number + 1 :], smaller)
        yield from table(("overlap@10", *RENDITIONS[1:]), map(self._overlap_row, self.candidates))
        yield ""

    def _seeds(self, key: str) -> str:
        rows = np.flatnonzero(~np.isnan(self.scores[self.candidates[0].name][key])).tolist()
        return f"{len(rows)} clips by {len({self.clips[row].group for row in rows})} artists"

    def _row(self, candidate: Candidate) -> tuple[str, ...]:
        scores = self.scores[candidate.name]
        figures = (str(interval(key, scores[key], self.clips)) for key in _SCORES)
        return candidate.name, str(candidate.width), str(_FLOAT_BYTES * candidate.width), *figures

    def _gain_table(self, compared: Sequence[Candidate], other: Candidate) -> Iterator[str]:
        if compared:
            yield from table(
                (f"gain over {other.name}", *_SCORES, "result"), (_gain_row(x, self.gains(x, other)) for x in compared)
            )
            yield ""

    def _overlap_row(self, candidate: Candidate) -> tuple[str, ...]:
        shares = overlaps(self.cosines[candidate.name]).mean(1)
        return candidate.name, *(f"{share:.3f}" for share in shares)


def _gain_row(candidate: Candidate, gains: Mapping[str, Interval]) -> tuple[str, ...]:
    return candidate.name, *(f"{gain:+.3f}" for gain in gains.values()), verdict(gains)
