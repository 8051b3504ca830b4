"""The model card of ``segue-accurate``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segue.core.model.artifact import Manifest
from segue.trainer.reporting.model_card import shown
from segue.trainer.reporting.report import table


def write_card(manifest: Manifest, figures: Mapping[str, float], tracks: int, plan: Mapping[str, Any]) -> str:
    """The model card as Markdown.

    Args:
        manifest: of the artifact.
        figures: of the cross-validation, by name.
        tracks: how many it learnt from.
        plan: the settings of the head.
    """
    return "\n".join([*_head(manifest), *_figures(figures, tracks), *_training(manifest, tracks, plan), *_LIMITS, ""])


def _head(manifest: Manifest) -> list[str]:
    config = manifest.features
    return [
        f"# {manifest.model_id}",
        "",
        "MusiCNN (Pons and Serra 2019), a CNN that has heard 200,000 songs, tags each window; an LSTM over the "
        "windows, with linear judges beside it, makes a genre of the tags. Windows are "
        f"{config.window_seconds:g} s long ({config.n_mels} mel bands, {config.columns} columns), "
        f"{manifest.windows} of a clip at most. It answers with a calibrated posterior over {len(manifest.labels)} "
        f"genres ({', '.join(manifest.labels)}) and an embedding of {manifest.embedding_width} numbers: the posterior "
        "beside the standardised logits of the 50 tags.",
        "",
        "For recommending and sorting music by its sound. Not for deciding anything about people, and not for telling "
        "genres beyond the ones it was shown: every piece is given to one of them.",
    ]


def _figures(figures: Mapping[str, float], tracks: int) -> list[str]:
    interval = f"(95 % interval by Wilson: {figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f})"
    rows = [
        ("accuracy per clip", f"{figures['accuracy']:.3f} {interval}", f"{figures['accuracy_of_linear_head']:.3f}"),
        (
            "log-loss, nats, at a temperature fitted on other clips",
            f"{figures['log_loss_cross_fitted']:.3f}",
            f"{figures['log_loss_of_linear_head']:.3f}",
        ),
        ("expected calibration error, likewise", f"{figures['ece_cross_fitted']:.3f}", ""),
        ("macro-F1", f"{figures['macro_f1']:.3f}", ""),
        (
            "genre precision at 10, tracks of other artists recommended",
            shown(figures.get("precision_at_10_other_artists")),
            shown(figures.get("precision_at_10_of_mean_tags")),
        ),
    ]
    return [
        "",
        f"## Figures of a cross-validation over the artists of {tracks} tracks",
        "",
        *table(("figure", "this network", "mean tags alone"), rows),
        "",
        "Five folds that keep the tracks of an artist together: every track is judged by a head that was not taught "
        "its artist. The last column is logistic regression (C = 10) on the mean of the tags, in the same folds, and "
        "the cosine of the mean tags. The settings of the head were chosen by such folds over the same tracks, so the "
        "figures are a little better than those of music that nobody has looked at. [report.md](report.md) has the "
        "confusion matrix, the reliability diagram and a map of the embeddings.",
    ]


def _training(manifest: Manifest, tracks: int, plan: Mapping[str, Any]) -> list[str]:
    return [
        "",
        "## Training",
        "",
        f"The CNN has the weights MSD_musicnn as they were published, and is not trained. The head learnt from the "
        f"tags of all {tracks} tracks (digest of their names {manifest.split_digest[:16]}); the temperature "
        f"{manifest.temperature:.3f} was fitted on the answers of the folds. The same command with the same seed gives "
        "the same network on the same machine.",
        "",
        "```json",
        json.dumps(plan, indent=2),
        "```",
        "",
        f"Front end: {manifest.features.sample_rate} Hz, hop {manifest.features.hop}, log10(1 + 10,000 x); fingerprint "
        f"{manifest.features.fingerprint}.",
    ]


_LIMITS = [
    "",
    "## Limits",
    "",
    "- Genres blur into their neighbours, as they do for people; the report says which, and how often.",
    "- The tags are those that listeners of an American web radio gave in the 2000s to the music that they knew: what "
    "they did not know is heard in their words.",
    "- Genre precision stands in for what people would like to hear next; nobody was asked.",
    "- What sounds above 7 kHz is hardly heard.",
    "- Calibration holds for music like the training clips. On speech, noise or other styles the posterior is as sure "
    "of itself, and wrong.",
]
