"""Says when the data of a run is too little for what its network promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from segue.core.model.artifact import Manifest
from segue.core.quantities import quantity
from segue.trainer.evaluation.calibration import MIN_CALIBRATION_CLIPS

FEW_CLIPS = 50
"""Clips of each genre below which ``train`` names ``train-accurate``."""

CLEAR_LOSS = 0.03
"""Smallest rise of the log-loss after its best epoch that ``train`` names, in nats."""

UNCALIBRATED = (
    f"The scores are not calibrated: a temperature needs {MIN_CALIBRATION_CLIPS} evaluated clips or more, and not all "
    "of them right. Read the scores as an order of the genres, and not as probabilities."
)
"""What the users of a network have to know if its temperature is 1."""


def caution_before_training(genres: Iterable[str], evaluated: int) -> Iterator[str]:
    """Yields a sentence for each reason to expect little of a network that is trained from scratch.

    Args:
        genres: the genre of each training clip.
        evaluated: number of clips that evaluate the network: the validation clips, or those of all folds.
    """
    genre, fewest = min(Counter(genres).items(), key=lambda pair: (pair[1], pair[0]))
    if fewest < FEW_CLIPS:
        yield (
            f"Warning: {quantity(fewest, 'clip')} of {genre} to train on. This network learns from these clips alone. "
            f"With fewer than {FEW_CLIPS} of a genre, `segue-trainer tag` and `train-accurate` make a better one."
        )
    if evaluated < MIN_CALIBRATION_CLIPS:
        yield (
            f"Warning: {quantity(evaluated, 'evaluated clip')} cannot calibrate the scores, and measure the accuracy "
            f"only roughly. Add clips until there are {MIN_CALIBRATION_CLIPS} or more."
        )


def caution_about_calibration(manifest: Manifest) -> Iterator[str]:
    """Yields a sentence if the scores of a trained network are not probabilities."""
    if manifest.temperature == 1.0:
        yield UNCALIBRATED


def caution_about_epochs(history: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yields a sentence if the networks of the folds were clearly better for other artists before the last epoch.

    Args:
        history: figures of each epoch by name, mean over the folds.
    """
    losses = history["val_log_loss"]
    best = min(losses)
    if losses[-1] - best >= CLEAR_LOSS:
        yield (
            f"The log-loss of the held-out clips was lowest after epoch {losses.index(best) + 1}: {best:.3f}, and "
            f"{losses[-1]:.3f} after the last one, both without the regression. Fewer --epochs may be better."
        )


def caution_about_regression(figures: Mapping[str, float]) -> Iterator[str]:
    """Yields a sentence if plain logistic regression is better than the head of ``segue-accurate`` in one figure.

    Args:
        figures: figures of the cross-validation, by name.
    """
    accuracy, log_loss, linear_accuracy, linear_log_loss = (
        round(figures[name], 3)  # as it is printed
        for name in ("accuracy", "log_loss_cross_fitted", "accuracy_of_linear_head", "log_loss_of_linear_head")
    )
    if linear_accuracy > accuracy or linear_log_loss < log_loss:
        yield (
            "Plain logistic regression on the mean tags is better in one figure or both: its accuracy is "
            f"{linear_accuracy:.3f} and this network's {accuracy:.3f}; its log-loss is {linear_log_loss:.3f} and this "
            f"network's {log_loss:.3f}. The network pays off with more clips, about ten or more of each genre."
        )
