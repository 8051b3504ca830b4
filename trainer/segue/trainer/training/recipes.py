"""The networks that can be trained, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from segue.trainer.data.front_end import CLIP_COLUMNS, FRONT_END
from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.training.plans import FastPlan, PaperPlan
from segue.trainer.training.recipe import Recipe
from segue.trainer.training.train_fast import train_fast
from segue.trainer.training.train_paper import train_paper

LSTM_COLUMNS = (FRONT_END.columns, 78, 194, CLIP_COLUMNS)
"""Columns of the windows of the paper's CNN-LSTM: 3, 6, 15 and 30 s."""

_PAPER_METHOD = (
    "Adam with categorical cross-entropy on single windows. The epoch with the lowest log-loss of the validation "
    "windows was kept, and ten epochs without a lower one ended the run. The only augmentation is noise of one 8-bit "
    "code."
)
_FAST_METHOD = (
    "AdamW with label smoothing and averaged weights. Windows are cut at random, stretched by up to 10%, moved by up "
    "to 1 band, coloured by 1 dB, with noise of one 8-bit code and masked bars of bands and columns. The regression is "
    "fitted separately, on ten windows of every clip, with equal weight for each genre."
)


def _paper_cnn_lstm(columns: int) -> Recipe:
    """Returns the recipe of the CNN-LSTM over windows of a number of columns."""
    front_end = replace(FRONT_END, columns=columns)
    name = CNN_LSTM if columns == FRONT_END.columns else f"{CNN_LSTM}-{front_end.window_seconds:.0f}s"
    return Recipe(
        name=name,
        plan=PaperPlan(epochs=150),
        train=partial(train_paper, CNN_LSTM),
        architecture=f"The network is the paper's CNN over each window of {front_end.window_seconds:.0f} s, with two "
        "LSTM layers over the columns of its maps. A clip's posterior is the mean of its windows' posteriors.",
        embedding="last hidden layer, 32 wide, mean of the windows",
        method=_PAPER_METHOD,
        columns=columns,
    )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="segue-fast",
            plan=FastPlan(),
            train=train_fast,
            architecture="The network joins a CNN over each window, an LSTM over the windows of a clip, and a logistic "
            "regression on statistics of bands, cepstra and peaks.",
            embedding="mean of the CNN's 96 features and log-posterior",
            method=_FAST_METHOD,
            trim_db=-60.0,
            by_folds=True,
        ),
        Recipe(
            name=CNN,
            plan=PaperPlan(epochs=50),
            train=partial(train_paper, CNN),
            architecture="The network is the paper's CNN over each window: four 2-D convolutions and two dense layers. "
            "A clip's posterior is the mean of its windows' posteriors.",
            embedding="last hidden layer, 64 wide, mean of the windows",
            method=_PAPER_METHOD,
        ),
        *map(_paper_cnn_lstm, LSTM_COLUMNS),
    )
}
