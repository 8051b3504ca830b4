"""A recipe: one network, how it is trained, and how its model card describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.data.front_end import FRONT_END
from segue.trainer.networks.trained import AnyTrained
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import AnyPlan

Train = Callable[[Dataset, Dataset, tuple[str, ...], FeatureConfig, Any, RunControl], AnyTrained]
"""Trains a network on the training clips, the validation clips, the labels, the front end, a plan and a control."""


@dataclass(frozen=True)
class Recipe:
    """A network that can be trained.

    Attributes:
        name: name of the network, and of its input where that differs, such as "paper-cnn-lstm-6s".
        plan: default settings.
        train: trains the network.
        architecture: sentence on the architecture, for the model card.
        embedding: the layer that the embedding is, for cards and tables.
        method: sentences on the training, for the model card.
        columns: number of columns in a window.
        trim_db: level of the silence around a track that is left out; see ``FeatureConfig``.
        by_folds: a cross-validation evaluates the network, which is then trained on all clips.
    """

    name: str
    plan: AnyPlan
    train: Train
    architecture: str
    embedding: str
    method: str
    columns: int = FRONT_END.columns
    trim_db: float | None = None
    by_folds: bool = False

    @property
    def front_end(self) -> FeatureConfig:
        """The front end of the network."""
        return replace(FRONT_END, columns=self.columns, trim_db=self.trim_db)

    def plan_for(self, seed: int, epochs: int | None) -> AnyPlan:
        """Returns the plan with a seed, and with a number of epochs where one is given."""
        return replace(self.plan, seed=seed, epochs=epochs or self.plan.epochs)
