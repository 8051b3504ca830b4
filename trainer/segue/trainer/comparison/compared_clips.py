"""The clips that networks are compared on, by split and by length of the windows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from segue.core.features.config import FeatureConfig
from segue.trainer.comparison.runs import Run
from segue.trainer.comparison.section import ClipSet
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.labelled_windows import chunk_dataset
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.evaluation.artists import ArtistSample
from segue.trainer.evaluation.known_artists import sample_tracks
from segue.trainer.splits.strategies import SplitSpec
from segue.trainer.training.recipes import RECIPES


def front_end_of(run: Run) -> FeatureConfig:
    """Returns the front end of a run's network; joined networks share one."""
    return RECIPES[run.members[0].network].front_end


class ComparedClips:
    """Divides clips, or chunks as long as a network's windows, by the split of a run; each division is made once."""

    def __init__(self, dataset: Dataset) -> None:
        """Holds the clips, which are long enough for the windows of all networks."""
        self._dataset = dataset
        self._divided: dict[tuple[str, int], TrainValidSplit] = {}

    def of(self, run: Run) -> TrainValidSplit:
        """Returns the clips of a run.

        Raises:
            SegueError: they cannot be divided so.
        """
        key = self._key(run)
        if key not in self._divided:
            self._divided[key] = self._divide(run)
        return self._divided[key]

    def sample(self, run: Run) -> ArtistSample:
        """Returns the genres and artists of the clips that a run is evaluated on."""
        data = self.of(run)
        genres = np.array([data.labels.index(clip.genre) for clip in data.validation.clips])
        return sample_tracks([clip.track for clip in data.validation.clips], genres)

    def sets(self, runs: Iterable[Run]) -> tuple[ClipSet, ...]:
        """Describes the clips of runs, those of each length once."""
        return tuple(map(self._describe, {self._key(run): run for run in runs}.values()))

    def _describe(self, run: Run) -> ClipSet:
        data, sample = self.of(run), self.sample(run)
        return ClipSet(
            unit=f"chunks of {front_end_of(run).window_seconds:g} s" if data.split.leaky else "clips",
            train=len(data.train.clips),
            evaluated=len(data.validation.clips),
            artists=sample.effective_artists(),
            digest=data.split.digest,
        )

    def _divide(self, run: Run) -> TrainValidSplit:
        spec = SplitSpec(run.split)
        clips = chunk_dataset(self._dataset, front_end_of(run)) if spec.by_chunk else self._dataset
        return TrainValidSplit.of(clips, spec.load() or spec.draw(clips.genres))

    @staticmethod
    def _key(run: Run) -> tuple[str, int]:
        return run.split, front_end_of(run).columns if SplitSpec(run.split).by_chunk else 0
