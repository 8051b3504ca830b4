"""Settings by which the networks are trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

# The step of the 8-bit codes in a log-mel archive. One clip in four of GTZAN's was requantised, and noise of this size
# keeps a network from recognizing single codes.
CODE_DB = 80 / 256

# Names of fields in run records, reports and checkpoints, where they differ from the fields' own: artifacts that exist
# have these.
_SAVED_NAMES = {"distillation_weight": "trust"}


@dataclass(frozen=True)
class Augmentation:
    """The variation of windows in training.

    Attributes:
        stretch: largest share by which a window covers more or less of the music, in [0, 1).
        noise_db: step of the noise in decibels; each cell moves by -1, 0 or 1 steps.
        shift: largest number of bands by which a window moves up or down.
        colour_db: spread in decibels of a smooth gain over the bands, such as another recording chain gives.
        masks: number of bars of bands, and of columns, that are replaced by the band's mean.
        mask_bands: largest width of a bar of bands.
        mask_columns: largest width of a bar of columns.
    """

    stretch: float = 0.1
    noise_db: float = CODE_DB
    shift: int = 1
    colour_db: float = 1.0
    masks: int = 2
    mask_bands: int = 16
    mask_columns: int = 6


@dataclass(frozen=True)
class FastPlan:
    """Settings for ``segue-fast``.

    Attributes:
        epochs: number of epochs, each of about ten windows of every clip, 1 or above.
        seed: the same seed gives the same network on the same machine.
        clips: clips in a batch.
        windows: windows of each clip in a batch.
        learning_rate: peak rate; it rises over two epochs and falls along half a cosine.
        weight_decay: decay of AdamW, as a share of the learning rate.
        label_smoothing: share of a target that is spread over all genres, in [0, 1).
        averaging: momentum of the running mean of the weights, which is evaluated and kept, in [0, 1).
        distillation_weight: share of a target that the teacher's prediction replaces, in [0, 1].
        regularisation: inverse strength C of the linear path's ridge penalty, above 0.
        linear_weight: weight of the linear path's logits relative to those of the CNN and the LSTM, above 0.
        augmentation: variation of the windows.
    """

    epochs: int = 40
    seed: int = 0
    clips: int = 24
    windows: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    label_smoothing: float = 0.1
    averaging: float = 0.99
    distillation_weight: float = 0.6
    regularisation: float = 1e-2
    linear_weight: float = 1.5
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class PaperPlan:
    """Settings for one of the paper's networks.

    Attributes:
        epochs: largest number of epochs, 1 or above.
        seed: the same seed gives the same network on the same machine.
        batch: windows in a batch.
        learning_rate: constant rate of Adam.
        patience: number of epochs without a lower validation loss that ends the run.
        noise_db: step of the noise in decibels; each cell moves by -1, 0 or 1 steps.
    """

    epochs: int
    seed: int = 0
    batch: int = 32
    learning_rate: float = 1e-3
    patience: int = 10
    noise_db: float = CODE_DB


AnyPlan = FastPlan | PaperPlan


def plan_to_dict(plan: AnyPlan) -> dict[str, Any]:
    """Returns the settings of a plan by the names that run records, reports and checkpoints have."""
    return {_SAVED_NAMES.get(name, name): value for name, value in asdict(plan).items()}
