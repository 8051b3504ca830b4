"""Writes the model card of a network that was trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.core.model.artifact import Manifest
from segue.core.quantities import quantity
from segue.trainer.evaluation.artists import Interval
from segue.trainer.evaluation.precision import K_VALUES
from segue.trainer.reporting.cautions import UNCALIBRATED
from segue.trainer.reporting.markdown import table
from segue.trainer.reporting.report import describe_intervals
from segue.trainer.splits.split import Split
from segue.trainer.training.plans import AnyPlan
from segue.trainer.training.recipe import Recipe

USE = (
    "Use it to recommend music and to sort it by its sound. Do not use it to decide anything about people, or for "
    "genres that are not listed: every clip gets one of the listed genres."
)
PROXY_LIMIT = "- Genre precision is a proxy for good recommendations; no people were asked."
CALIBRATION_LIMIT = (
    "- Calibration holds for music like the training clips. On speech, noise or other styles the posterior is just as "
    "confident, and wrong."
)
REPRODUCIBLE = "The same command with the same seed gives the same network on the same machine."


@dataclass(frozen=True)
class CardContext:
    """The facts of a run that a model card shows and a manifest lacks.

    Attributes:
        split: split of the run.
        train: number of training clips.
        tagged: number of training clips with a teacher's tags.
        pseudo_labelled: number of clips without labels.
        teacher: model id of the network that predicted their genres, or empty.
        validation: number of validation clips.
        recipe: recipe of the network.
        plan: settings of the training.
        epochs: number of epochs that were run.
        best_epoch: the epoch that was kept, from 1.
        seconds: wall time of all epochs, or None where it is unknown.
        command: command that reproduces the figures; that of a cross-validation is not named.
        folds: number of folds of a cross-validation, 0 where validation clips evaluated the network.
    """

    split: Split
    train: int
    tagged: int
    pseudo_labelled: int
    teacher: str
    validation: int
    recipe: Recipe
    plan: AnyPlan
    epochs: int
    best_epoch: int
    seconds: float | None
    command: str
    folds: int = 0


def write_card(manifest: Manifest, figures: Mapping[str, float], context: CardContext) -> str:
    """Writes the model card as Markdown.

    Args:
        manifest: manifest of the artifact.
        figures: figures of the cross-validation, or those on the validation clips, by name.
        context: facts of the run.
    """
    return "\n".join(
        [
            *_head(manifest, context),
            *(_fold_figures(figures, context) if context.folds else _figures(figures, context)),
            *_training(manifest, context),
            *_limits(manifest, context),
            "",
        ]
    )


def describe_windows(manifest: Manifest) -> str:
    """Returns a sentence on the windows of a clip."""
    config = manifest.features
    return (
        f"A clip has at most {quantity(manifest.windows, 'window')} of {config.window_seconds:g} s "
        f"({config.n_mels} mel bands, {config.columns} columns)."
    )


def describe_outputs(manifest: Manifest) -> str:
    """Returns the beginning of a sentence on the posterior and the embedding."""
    posterior = "posterior (not calibrated)" if manifest.temperature == 1.0 else "calibrated posterior"
    return (
        f"The outputs are a {posterior} over {len(manifest.labels)} genres ({', '.join(manifest.labels)}) and "
        f"an embedding of {manifest.embedding_width} numbers"
    )


def format_figure(figure: float | None) -> str:
    """Formats a figure; None is a figure that needs more clips."""
    return "none (too few clips)" if figure is None else f"{figure:.3f}"


def format_interval(figures: Mapping[str, float], name: str, mean: str = "") -> str:
    """Formats a figure and its interval; the mean may have another name than its interval."""
    if f"{name}_low" not in figures:
        return format_figure(figures.get(mean or name))
    return str(Interval(figures[mean or name], figures[f"{name}_low"], figures[f"{name}_high"]))


def _head(manifest: Manifest, context: CardContext) -> list[str]:
    return [
        f"# {manifest.model_id}",
        "",
        f"{context.recipe.architecture} {describe_windows(manifest)} {describe_outputs(manifest)}. The smaller the "
        f"angle between two embeddings, the more alike the clips sound. Embedding: {context.recipe.embedding}.",
        "",
        USE,
    ]


def _figures(figures: Mapping[str, float], context: CardContext) -> list[str]:
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    rows = [
        ("accuracy per clip", f"{figures['accuracy']:.3f} [{low:.3f}, {high:.3f}]"),
        ("log-loss, nats", f"{figures['log_loss']:.3f}"),
        ("log-loss at a temperature fitted on other clips", format_figure(figures.get("log_loss_cross_fitted"))),
        ("expected calibration error", f"{figures['ece']:.3f}"),
        ("macro-F1", f"{figures['macro_f1']:.3f}"),
        ("genre precision at 5 and 10, training clips recommended", _precisions(figures, "_from_train")),
        ("the same, leave-one-out among these clips, which may share an artist", _precisions(figures)),
    ]
    return [
        "",
        f"## Figures on the {quantity(int(figures['n']), 'validation clip')} of the split {context.split.label}",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        f"{describe_intervals(figures)} This command reproduces the figures:",
        "",
        "```",
        context.command,
        "```",
        "",
        "The validation clips also made choices in the training, so the figures are slightly better than on unseen "
        "clips. [report.md](report.md) has the training curves, the confusion matrix, the reliability diagram, a map "
        "of the embeddings and all settings.",
    ]


def _fold_figures(figures: Mapping[str, float], context: CardContext) -> list[str]:
    rows = [
        ("accuracy per clip", format_interval(figures, "accuracy")),
        (
            "log-loss, nats, at a temperature fitted on other clips",
            format_interval(figures, "log_loss", "log_loss_cross_fitted"),
        ),
        ("expected calibration error at the same temperature", format_figure(figures.get("ece_cross_fitted"))),
        ("macro-F1", f"{figures['macro_f1']:.3f}"),
        (
            "genre precision at 10, clips of other artists recommended",
            format_interval(figures, "precision_at_10_other_artists"),
        ),
    ]
    return [
        "",
        f"## Figures of a cross-validation over the artists of {quantity(int(figures['n']), 'clip')}",
        "",
        *table(("figure", "value"), rows),
        "",
        f"The {context.folds} folds keep the clips of an artist together, so that each clip is evaluated by a network "
        f"that was trained without its artist. {describe_intervals(figures)} The clips that are recommended are those "
        "of all other artists, and most of them trained the network of the fold. This network was trained on all "
        "clips, and no figure is its own. Its settings were chosen in such folds of GTZAN's clips, so figures on those "
        "are slightly better than on unseen music. [report.md](report.md) has the training curves, the confusion "
        "matrix, the reliability diagram and all settings.",
    ]


def _precisions(figures: Mapping[str, float], pool: str = "") -> str:
    return " and ".join(format_figure(figures.get(f"precision_at_{k}{pool}")) for k in K_VALUES)


def _training(manifest: Manifest, context: CardContext) -> list[str]:
    unit = "chunk" if context.split.leaky else "clip"
    config = manifest.features
    trimmed = "" if config.trim_db is None else ", without the silence around a track"
    return [
        "",
        "## Training",
        "",
        f"Trained from scratch on {quantity(context.train, unit)} of the split {context.split.label} (digest "
        f"{manifest.split_digest[:16]}) with the seed {context.plan.seed}, for {context.epochs} of at most "
        f"{quantity(context.plan.epochs, 'epoch')}. {context.recipe.method} {_teacher(manifest, context)}"
        f"{_validation(manifest, context)}{_duration(context)}{REPRODUCIBLE}",
        "",
        f"Front end: {config.sample_rate} Hz, decibels relative to a window's loudest cell, floor "
        f"{config.floor_db:g} dB{trimmed}; fingerprint {config.fingerprint}.",
    ]


def _validation(manifest: Manifest, context: CardContext) -> str:
    """Returns a sentence on what evaluated clips decided, followed by a space; nothing where they decided nothing."""
    if context.folds:
        fitted = f"The temperature {manifest.temperature:.3f} was fitted on the predictions of the folds. "
        return "" if manifest.temperature == 1.0 else fitted
    unit = "chunk" if context.split.leaky else "clip"
    return (
        f"The {quantity(context.validation, f'validation {unit}')} selected epoch {context.best_epoch}"
        f"{_temperature(manifest)} and had no other use. "
    )


def _duration(context: CardContext) -> str:
    return "" if context.seconds is None else f"The training took {quantity(round(context.seconds / 60), 'minute')}. "


def _teacher(manifest: Manifest, context: CardContext) -> str:
    """Returns sentences on teachers, each followed by a space; nothing where there was none."""
    tagged = (
        f"{quantity(context.tagged, 'clip')} had tags of another network. Part of the target was then the genre that a "
        "logistic regression, fitted without the clip, predicts from the tags of each window. "
    )
    pseudo_labelled = (
        f"{quantity(context.pseudo_labelled, 'more clip')} had no labels; the targets were the genres that "
        f"{context.teacher} predicts for their windows. If that network was trained on the "
        f"{'labelled' if context.folds else 'validation'} clips, the figures are too good"
        f"{_biased_temperature(manifest)}. "
    )
    return (tagged if context.tagged else "") + (pseudo_labelled if context.pseudo_labelled else "")


def _biased_temperature(manifest: Manifest) -> str:
    return "" if manifest.temperature == 1.0 else ", and the temperature, which the same predictions fitted, is too low"


def describe_calibration(manifest: Manifest) -> str:
    """Returns the item of the limits on the scores as probabilities."""
    return f"- {UNCALIBRATED}" if manifest.temperature == 1.0 else CALIBRATION_LIMIT


def _temperature(manifest: Manifest) -> str:
    return "" if manifest.temperature == 1.0 else f", fitted the temperature {manifest.temperature:.3f}"


def _knowledge(context: CardContext) -> str:
    music = context.train + context.pseudo_labelled
    unit = "chunk" if context.split.leaky else "clip"
    return f"The network learned from {quantity(music, unit)} alone"


def _limits(manifest: Manifest, context: CardContext) -> list[str]:
    return [
        "",
        "## Limits",
        "",
        f"- {_knowledge(context)}, and genres overlap where people disagree, too; the report shows which ones, and how "
        "often. The accuracy above shows how often the first genre is right.",
        PROXY_LIMIT,
        "- Loudness does not matter to the network, but recording and mastering do: old and new recordings of one "
        "style have distant embeddings.",
        describe_calibration(manifest),
    ]
