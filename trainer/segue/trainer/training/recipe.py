"""How one network is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from segue.core.features.config import FeatureConfig
from segue.trainer.data.dataset import Dataset
from segue.trainer.networks.trained import TrainedFast, TrainedPaper
from segue.trainer.training.fit import RunControl
from segue.trainer.training.plans import AnyPlan

Train = Callable[[Dataset, Dataset, tuple[str, ...], FeatureConfig, Any, RunControl], TrainedFast | TrainedPaper]


@dataclass(frozen=True)
class Recipe:
    """How one network is made.

    Attributes:
        name: what people choose it by.
        plan: how it is trained where nobody says otherwise.
        run: trains it.
        hears: how it hears a clip, for its card.
        embedding: which layer the embedding is.
        method: how it was trained, for its card.
    """

    name: str
    plan: AnyPlan
    run: Train
    hears: str
    embedding: str
    method: str

    def planned(self, seed: int, epochs: int | None) -> AnyPlan:
        """The plan with a seed, and with another number of epochs where one is given."""
        return replace(self.plan, seed=seed, epochs=epochs or self.plan.epochs)


def settings_of(plan: AnyPlan) -> dict[str, Any]:
    """The settings of a plan as JSON has them."""
    return asdict(plan)
