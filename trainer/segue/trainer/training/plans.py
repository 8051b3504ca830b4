"""The settings by which networks are trained."""

from __future__ import annotations

from dataclasses import dataclass, field

# The step of the 8-bit codes in a log-mel archive: one clip in four of GTZAN's was requantised, and no network shall be
# able to read single codes.
CODE_DB = 80 / 256


@dataclass(frozen=True)
class Augmentation:
    """How a window is varied while learning.

    Attributes:
        stretch: the window is this share longer or shorter in the music at most, in [0, 1).
        noise_db: every cell moves by -1, 0 or 1 times this.
        shift: it is moved by this many bands up or down at most.
        colour_db: the spread of a smooth gain over the bands, such as another recording chain would give.
        masks: how many bars of bands, and of columns, are hidden behind the band's mean.
        mask_bands: the widest bar of bands.
        mask_columns: the widest bar of columns.
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
    """How a network is trained.

    Attributes:
        epochs: how often about ten windows of every clip are heard, 1 or above.
        seed: the same seed gives the same network on the same machine.
        clips: in a batch.
        windows: of each clip in a batch.
        learning_rate: the highest; it rises over two epochs and falls along half a cosine.
        weight_decay: of AdamW, as a share of the learning rate.
        label_smoothing: the share of a target that is spread over all genres, in [0, 1).
        averaging: the weights that are judged and kept are a running mean with this momentum, in [0, 1).
        trust: the part of a genre that is replaced by what the teacher's tags sound like, in [0, 1].
        regularisation: the inverse strength C of the linear path's ridge penalty, above 0.
        linear_weight: what the linear path's logits count beside those of the CNN and the LSTM, above 0.
        augmentation: how windows are varied.
    """

    epochs: int = 40
    seed: int = 0
    clips: int = 24
    windows: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    label_smoothing: float = 0.1
    averaging: float = 0.99
    trust: float = 0.6
    regularisation: float = 1e-2
    linear_weight: float = 1.5
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class PaperPlan:
    """How one of the paper's networks is trained.

    Attributes:
        epochs: the most, 1 or above.
        seed: the same seed gives the same network on the same machine.
        batch: windows in a batch.
        learning_rate: of Adam, which stays.
        patience: epochs without a better one that end the run.
        noise_db: every cell moves by -1, 0 or 1 times this, so that single codes of an archive cannot be read.
    """

    epochs: int
    seed: int = 0
    batch: int = 32
    learning_rate: float = 1e-3
    patience: int = 10
    noise_db: float = CODE_DB


AnyPlan = FastPlan | PaperPlan
