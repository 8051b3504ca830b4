"""Draws the figures of a report, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from segue.trainer.evaluation.calibration import ReliabilityBin
from segue.trainer.evaluation.results import Analysis
from segue.trainer.reporting.run_record import RunRecord

CURVES, CONFUSION, RELIABILITY, MAP = "curves.png", "confusion.png", "reliability.png", "map.png"
_DPI = 110
# t-SNE needs this many tracks to show neighbourhoods.
_MIN_TSNE_POINTS = 12


def draw_all(folder: Path, analysis: Analysis, record: RunRecord | None, title: str) -> list[str]:
    """Draws all figures into a folder; a map only where the embeddings can be compared.

    Args:
        folder: the folder, which is created if it is missing.
        analysis: results of the evaluation.
        record: record of the run that trained the network, or None without one.
        title: title of each figure.

    Returns:
        The names of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {CONFUSION: confusion(analysis), RELIABILITY: reliability(analysis)}
    if analysis.predictions.has_embeddings:
        drawn[MAP] = embedding_map(analysis)
    if record:
        drawn = {CURVES: curves([record])} | drawn
    for name, figure in drawn.items():
        save_figure(figure, folder / name, title)
    return list(drawn)


def curves(records: Sequence[RunRecord]) -> Figure:
    """Draws loss and accuracy of training and validation by epoch, as in the paper's figures 9 and 10.

    Args:
        records: records of one run or of several with other seeds.
    """
    figure = Figure((9, 4), layout="constrained")
    for axes, name, label in zip(
        figure.subplots(1, 2), ("log_loss", "accuracy"), ("log-loss, nats", "accuracy"), strict=True
    ):
        for record in records:
            _draw_history(axes, record, name)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes.get_legend_handles_labels()
    # The lines of several seeds share their labels.
    legend = dict(zip(labels, handles, strict=True))
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3)
    return figure


def save_figure(figure: Figure, path: Path, title: str) -> None:
    """Writes a figure with its title (PNG)."""
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=_DPI, metadata={"Software": ""})


def confusion(analysis: Analysis) -> Figure:
    """Draws the confusion matrix, with the true genres as rows."""
    labels, counts = analysis.predictions.labels, analysis.confusion
    size = max(4.5, 0.6 * len(labels) + 1.5)
    figure = Figure((size, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true")
    return figure


def reliability(analysis: Analysis) -> Figure:
    """Draws accuracy against confidence before and after the temperature, with the number of clips in each bin."""
    figure = Figure((8.5, 4.4), layout="constrained")
    figures = analysis.figures
    after = ("after, cross-fitted", "_cross_fitted") if "ece_cross_fitted" in figures else ("as served", "")
    for axes, bins, (name, suffix) in zip(
        figure.subplots(1, 2, sharey=True),
        (analysis.before, analysis.after),
        (("before the temperature", "_raw"), after),
        strict=True,
    ):
        _draw_bins(axes, bins)
        axes.set_title(
            f"{name}: log-loss {figures[f'log_loss{suffix}']:.3f}, ECE {figures[f'ece{suffix}']:.3f}", fontsize=10
        )
    return figure


def embedding_map(analysis: Analysis) -> Figure:
    """Draws the embeddings in two dimensions, coloured by genre."""
    predictions = analysis.predictions
    points, method = _project(predictions.embedding)
    figure = Figure((7.5, 6), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["tab10" if len(predictions.labels) <= 10 else "tab20"]
    for number, genre in enumerate(predictions.labels):
        members = points[predictions.genres == number]
        axes.scatter(members[:, 0], members[:, 1], s=28, color=colours(number % colours.N), label=genre)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{len(points)} embeddings by {method}; only near distances are meaningful", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_history(axes: Any, record: RunRecord, name: str) -> None:  # noqa: ANN401 - matplotlib's axes
    history = record.history
    epochs = np.arange(1, len(history[name]) + 1)
    axes.plot(epochs, history[name], color="tab:blue", label="training, augmented")
    axes.plot(epochs, history[f"val_{name}"], color="tab:orange", label="validation")
    axes.axvline(record.best_epoch, color="grey", linestyle=":", label="kept epoch")


def _draw_bins(axes: Any, bins: tuple[ReliabilityBin, ...]) -> None:  # noqa: ANN401 - matplotlib's axes
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect calibration")
    confidence, accuracy = [part.confidence for part in bins], [part.accuracy for part in bins]
    axes.plot(confidence, accuracy, marker="o", label="this network")
    for part in bins:
        axes.annotate(
            str(part.clips),
            (part.confidence, part.accuracy),
            textcoords="offset points",
            xytext=(0, 8),
            ha="center",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.08), xlabel="confidence (with clips in each bin)", ylabel="accuracy")
    axes.legend(loc="upper left", fontsize=8)


def _project(embedding: NDArray[np.float32]) -> tuple[NDArray[np.floating[Any]], str]:
    if len(embedding) < _MIN_TSNE_POINTS:
        padded = np.pad(embedding, ((0, max(0, 2 - len(embedding))), (0, 0)))
        return PCA(2).fit_transform(padded)[: len(embedding)], "PCA"
    perplexity = min(30.0, (len(embedding) - 1) / 3)
    layout = TSNE(2, perplexity=perplexity, init="pca", random_state=0, metric="cosine")
    return layout.fit_transform(embedding), "t-SNE"
