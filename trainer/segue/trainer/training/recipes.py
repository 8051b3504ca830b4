"""The networks that can be trained, by name."""

from __future__ import annotations

from segue.trainer.networks.paper import CNN, CNN_LSTM
from segue.trainer.training.plans import FastPlan, PaperPlan
from segue.trainer.training.recipe import Recipe, Train
from segue.trainer.training.train_fast import train_fast
from segue.trainer.training.train_paper import train_paper


def _paper(name: str) -> Train:
    return lambda learnt, valid, labels, config, plan, course: train_paper(
        name, learnt, valid, labels, config, plan, course
    )


_PAPER_METHOD = (
    "Adam and categorical cross-entropy on single windows; the epoch of the least log-loss of the validation windows "
    "was kept, and ten epochs without a better one ended the run. Nothing is augmented but for noise of one 8-bit code."
)
_FAST_METHOD = (
    "AdamW with label smoothing and averaged weights. Windows are cut anywhere, stretched by up to 10%, moved by up to "
    "1 band, coloured by 1 dB, with noise of one 8-bit code and masked bars of bands and columns. The regression is "
    "fitted by itself to ten windows of every clip, each genre of the same weight."
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="segue-fast",
            plan=FastPlan(),
            run=train_fast,
            hears="A CNN hears each window, an LSTM the windows of a clip, and a logistic regression on the statistics "
            "of bands, cepstra and peaks stands beside both.",
            embedding="mean of the CNN's 96 features and log-posterior",
            method=_FAST_METHOD,
        ),
        Recipe(
            name=CNN,
            plan=PaperPlan(epochs=50),
            run=_paper(CNN),
            hears="The paper's CNN hears each window, four 2-D convolutions and two dense layers; a clip's posterior "
            "is the mean of its windows'.",
            embedding="last hidden layer, 64 wide, mean of the windows",
            method=_PAPER_METHOD,
        ),
        Recipe(
            name=CNN_LSTM,
            plan=PaperPlan(epochs=150),
            run=_paper(CNN_LSTM),
            hears="The paper's CNN hears each window, two LSTM layers the columns of its maps; a clip's posterior is "
            "the mean of its windows'.",
            embedding="last hidden layer, 32 wide, mean of the windows",
            method=_PAPER_METHOD,
        ),
    )
}
