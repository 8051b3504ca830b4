"""Reads the clips of a run, with progress and notes on standard error."""

from __future__ import annotations

from segue.core.features.config import FeatureConfig
from segue.trainer import console
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.feature_cache import FeatureCache
from segue.trainer.data.inputs import LabelledInput, Selects
from segue.trainer.data.labelled_windows import chunk_dataset


def read_clips(
    labelled: LabelledInput,
    selects: Selects,
    config: FeatureConfig,
    cache: FeatureCache | None = None,
    *,
    by_chunk: bool,
) -> Dataset:
    """Reads the selected clips, or all of their windows as chunks.

    Args:
        labelled: the input.
        selects: selects tracks.
        config: the front end of the network.
        cache: features of audio that were computed before; None to compute all.
        by_chunk: return each window as a clip of its own.
    """
    with console.progress_bar("reading clips") as progress:
        dataset = labelled.read(selects, progress, cache)
    console.notify_dropped(dataset.dropped)
    if cache and cache.trouble:
        console.notify(cache.trouble)
    return chunk_dataset(dataset, config) if by_chunk else dataset
