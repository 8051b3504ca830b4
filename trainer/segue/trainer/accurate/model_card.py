"""Writes the model card of ``segue-accurate``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segue.core.model.artifact import Manifest
from segue.core.quantities import quantity
from segue.trainer.reporting.cautions import caution_about_regression
from segue.trainer.reporting.markdown import table
from segue.trainer.reporting.model_card import (
    PROXY_LIMIT,
    REPRODUCIBLE,
    USE,
    describe_calibration,
    describe_outputs,
    describe_windows,
    format_figure,
    format_interval,
)

_PRECISION = "precision_at_10_other_artists"
_LIMITS = [
    "",
    "## Limits",
    "",
    "- Genres overlap with their neighbours, as they do for people; the report shows which ones, and how often.",
    "- In the 2000s, users of an American web radio chose the tags for music that they knew. Other music is described "
    "in their terms.",
    "- A clip whose novelty is above a limit gets `genre_unknown`. By the choice of the limit, so does one in ten of "
    "the evaluated clips; many clips of other genres are below it.",
    PROXY_LIMIT,
    "- Sound above 7 kHz has almost no influence.",
]


def write_card(manifest: Manifest, figures: Mapping[str, float], tracks: int, plan: Mapping[str, Any]) -> str:
    """Writes the model card as Markdown.

    Args:
        manifest: manifest of the artifact.
        figures: figures of the cross-validation, by name.
        tracks: number of training tracks.
        plan: settings of the head.
    """
    parts = (_head(manifest), _figures(figures, tracks), _training(manifest, tracks, plan), _limits(manifest, figures))
    return "\n".join([*(line for part in parts for line in part), ""])


def _head(manifest: Manifest) -> list[str]:
    return [
        f"# {manifest.model_id}",
        "",
        "MusiCNN (Pons and Serra 2019), a CNN that was trained on 200,000 songs, tags each window. An LSTM over the "
        f"windows and linear classifiers predict the genre from the tags. {describe_windows(manifest)} "
        f"{describe_outputs(manifest)}: the mean of MusiCNN's layer before the tags, in which the genres have no part.",
        "",
        USE,
    ]


def _figures(figures: Mapping[str, float], tracks: int) -> list[str]:
    rows = [
        ("accuracy per clip", format_interval(figures, "accuracy"), f"{figures['accuracy_of_linear_head']:.3f}"),
        (
            "log-loss, nats, at a temperature fitted on other clips",
            format_interval(figures, "log_loss", "log_loss_cross_fitted"),
            f"{figures['log_loss_of_linear_head']:.3f}",
        ),
        ("expected calibration error at the same temperature", f"{figures['ece_cross_fitted']:.3f}", ""),
        ("macro-F1", f"{figures['macro_f1']:.3f}", ""),
        *_precision_row(figures),
        (
            "area under the ROC curve of novelty, each genre held out",
            format_interval(figures, "auroc_held_out_genre"),
            "",
        ),
    ]
    return [
        "",
        f"## Figures of a cross-validation over the artists of {quantity(tracks, 'track')}",
        "",
        *table(("figure", "this network", "mean tags alone"), rows),
        "",
        "Five folds keep the tracks of an artist together, so that each track is evaluated by a head that was trained "
        "without its artist. In brackets: 95 % intervals over artists, drawn within genres; the tracks are worth "
        f"{figures['artists']:.0f} artists with equally many tracks; a track of unknown artist counts as one. The "
        f"last column is the baseline in the same folds: {_baseline(figures)}. The settings of the head were chosen in "
        "such folds of GTZAN's tracks, so figures on those are slightly better than on unseen music. "
        "[report.md](report.md) has the confusion matrix and the reliability diagram.",
    ]


def _baseline(figures: Mapping[str, float]) -> str:
    cosine = ", and the cosine of the mean tags" if _PRECISION in figures else ""
    return f"the head's own logistic regression on the mean of the tags{cosine}"


def _precision_row(figures: Mapping[str, float]) -> list[tuple[str, str, str]]:
    if _PRECISION not in figures:
        return []
    baseline = format_figure(figures["precision_at_10_of_mean_tags"])
    return [
        ("genre precision at 10, tracks of other artists recommended", format_interval(figures, _PRECISION), baseline)
    ]


def _training(manifest: Manifest, tracks: int, plan: Mapping[str, Any]) -> list[str]:
    config, fitted = manifest.features, ""
    if manifest.temperature != 1.0:
        fitted = f"The temperature {manifest.temperature:.3f} was fitted on the predictions of the folds. "
    return [
        "",
        "## Training",
        "",
        f"The CNN has the published weights MSD_musicnn and is not trained. The head was trained on the tags of all "
        f"{quantity(tracks, 'track')} (digest of their names {manifest.split_digest[:16]}). {fitted}"
        f"{REPRODUCIBLE}",
        "",
        "```json",
        json.dumps(plan, indent=2),
        "```",
        "",
        f"Front end: {config.sample_rate} Hz, hop {config.hop}, log10(1 + 10,000 x), every clip at "
        f"{config.level_dbfs:g} dBFS without the silence around it; fingerprint {config.fingerprint}.",
    ]


def _limits(manifest: Manifest, figures: Mapping[str, float]) -> list[str]:
    cautions = [f"- {sentence}" for sentence in caution_about_regression(figures)]
    return [*_LIMITS, describe_calibration(manifest), *cautions]
