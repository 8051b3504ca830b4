"""What a network must beat: logistic regression on the statistics of the bands, and chance."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segue.core.features.config import FeatureConfig
from segue.trainer.arrays import AnyFloats
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.front_end import MAX_WINDOWS
from segue.trainer.data.labelled_windows import cut_windows
from segue.trainer.evaluation.metrics import log_softmax
from segue.trainer.evaluation.predictions import Predictions

# As segue-fast's first linear path had it, before it knew more than bands.
REGULARISATION = 3e-3


def band_statistics(windows: AnyFloats) -> AnyFloats:
    """Mean, spread and mean step [n, 3 * bands] of each band of windows [n, bands, columns]."""
    steps = np.abs(np.diff(windows, axis=-1)).mean(-1)
    return np.concatenate([windows.mean(-1), windows.std(-1), steps], axis=1)


def regression_on_bands(
    learnt: Dataset, valid: Dataset, labels: tuple[str, ...], config: FeatureConfig
) -> tuple[Predictions, Predictions]:
    """Logistic regression on the band statistics of windows; a clip is the product of its windows' posteriors.

    A clip's embedding is the mean of its windows' standardised statistics, of length 1.

    Args:
        learnt: the clips that it learns from.
        valid: the clips that it is judged by; nothing of them is used.
        labels: the genres, in the order of the posterior.
        config: the front end.

    Returns:
        Its answers to the validation clips and to the training clips.
    """
    heard = {id(side): [cut_windows(clip, config, MAX_WINDOWS) for clip in side.clips] for side in (learnt, valid)}
    statistics = {side: [band_statistics(clip.windows.values) for clip in clips] for side, clips in heard.items()}
    targets = np.repeat(
        [labels.index(clip.genre) for clip in learnt.clips], [len(part) for part in statistics[id(learnt)]]
    )
    scaler = StandardScaler()
    pipeline = make_pipeline(scaler, LogisticRegression(C=REGULARISATION, max_iter=500))
    pipeline.fit(np.concatenate(statistics[id(learnt)]), targets)

    def answer(side: Dataset) -> Predictions:
        parts = statistics[id(side)]
        windows = [pipeline.predict_proba(part) for part in parts]
        means = np.stack([scaler.transform(part).mean(0) for part in parts])
        return Predictions(
            tracks=tuple(clip.track for clip in side.clips),
            genres=np.array([labels.index(clip.genre) for clip in side.clips]),
            labels=labels,
            posterior=np.exp(log_softmax(np.stack([np.log(part).mean(0) for part in windows]))).astype(np.float32),
            embedding=(means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32),
            window_posteriors=tuple(part.astype(np.float32) for part in windows),
        )

    return answer(valid), answer(learnt)


def chance(judged: Predictions, pool: Predictions) -> dict[str, float]:
    """What answering nothing has: accuracy, log-loss in nats, and the precision of recommending at random."""
    genres = len(judged.labels)
    return {
        "accuracy": 1 / genres,
        "log_loss": float(np.log(genres)),
        "precision": float((judged.genres[:, None] == pool.genres[None]).mean()),
    }
