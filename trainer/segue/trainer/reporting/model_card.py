"""The model card: what an artifact is, where it comes from, and what it can and cannot do."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.model.artifact import Manifest
from segue.trainer.training.plans import AnyPlan
from segue.trainer.training.recipe import Recipe


@dataclass(frozen=True)
class CardContext:
    """What the card tells beside the manifest.

    Attributes:
        split: the name of the split.
        learnt: clips that it learnt from.
        taught: how many of those had a teacher's tags.
        valid: clips that chose the epoch and fitted the temperature.
        recipe: what was trained.
        plan: how it was trained.
        epochs: how many were run.
        best_epoch: the epoch that was kept, from 1.
        seconds: wall time of all epochs, or None where it is not known.
        command: what prints the figures again.
    """

    split: str
    learnt: int
    taught: int
    valid: int
    recipe: Recipe
    plan: AnyPlan
    epochs: int
    best_epoch: int
    seconds: float | None
    command: str


def write_card(manifest: Manifest, figures: dict[str, float], story: CardContext) -> str:
    """The model card as Markdown.

    Args:
        manifest: of the artifact.
        figures: of the validation clips, by name.
        story: the rest.
    """
    return "\n".join(
        [*_head(manifest, story), *_figures(figures, story), *_training(manifest, story), *_limits(story), ""]
    )


def _head(manifest: Manifest, story: CardContext) -> list[str]:
    config, labels = manifest.features, manifest.labels
    return [
        f"# {manifest.model_id}",
        "",
        f"{story.recipe.hears} Windows are {config.window_seconds:g} s long ({config.n_mels} mel bands, "
        f"{config.columns} columns), {manifest.windows} of a clip at most. It answers with a calibrated posterior over "
        f"{len(labels)} genres ({', '.join(labels)}) and an embedding of {manifest.embedding_width} numbers, whose "
        "angle to another tells how much two pieces sound alike. The embedding is made of: "
        f"{story.recipe.embedding}.",
        "",
        "For recommending and sorting music by its sound. Not for deciding anything about people, and not for telling "
        "genres beyond the ones it was shown: every piece is given to one of them.",
    ]


def _figures(figures: dict[str, float], story: CardContext) -> list[str]:
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    rows = [
        ("accuracy per clip", f"{figures['accuracy']:.3f} (95 % interval: {low:.3f} to {high:.3f})"),
        ("log-loss, nats", f"{figures['log_loss']:.3f}"),
        ("log-loss at a temperature fitted on other clips", shown(figures.get("log_loss_cross_fitted"))),
        ("expected calibration error", f"{figures['ece']:.3f}"),
        ("macro-F1", f"{figures['macro_f1']:.3f}"),
        ("genre precision at 5 and 10, training clips recommended", _precisions(figures, "_from_train")),
        ("the same, leave-one-out among these clips, where an artist may have several", _precisions(figures)),
    ]
    return [
        "",
        f"## Figures on the {figures['n']} validation clips of the split {story.split}",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        "Printed again by:",
        "",
        "```",
        story.command,
        "```",
        "",
        "The validation clips chose the epoch and fitted the temperature, so these figures are a little better than "
        "those of clips that were never looked at. [report.md](report.md) has the curves of the training, the "
        "confusion matrix, the reliability diagram, a map of the embeddings and every setting.",
    ]


def _precisions(figures: dict[str, float], pool: str = "") -> str:
    return " and ".join(shown(figures.get(f"precision_at_{k}{pool}")) for k in (5, 10))


def shown(figure: float | None) -> str:
    """A figure as a card has it; None is what too few clips do not have."""
    return "none (too few clips)" if figure is None else f"{figure:.3f}"


def _training(manifest: Manifest, story: CardContext) -> list[str]:
    parts = "chunks" if "LEAKY" in story.split else "clips"
    return [
        "",
        "## Training",
        "",
        f"From scratch on {story.learnt} {parts}, by the split {story.split} (digest {manifest.split_digest[:16]}), "
        f"seed {story.plan.seed}: {story.epochs} epochs of at most {story.plan.epochs}. {story.recipe.method} "
        f"{_teaching(story)}"
        f"The {story.valid} validation {parts} chose epoch {story.best_epoch} and fitted the temperature "
        f"{manifest.temperature:.3f}; the run used nothing else of them. {_time(story)}"
        "The same command with the same seed gives the same network on the same machine.",
        "",
        f"Front end: {manifest.features.sample_rate} Hz, decibels relative to a window's loudest cell, floor "
        f"{manifest.features.floor_db:g} dB; fingerprint {manifest.features.fingerprint}.",
    ]


def _time(story: CardContext) -> str:
    return "" if story.seconds is None else f"It took {story.seconds / 60:.0f} minutes. "


def _teaching(story: CardContext) -> str:
    """A sentence on the teacher, with a blank behind it; nothing where there was none."""
    if not story.taught:
        return ""
    return (
        f"Of {story.taught} clips the tags of another network were known, and their windows were learnt in part as the "
        "genre that those tags sound like to a regression that had not met the clip. "
    )


def _limits(story: CardContext) -> list[str]:
    return [
        "",
        "## Limits",
        "",
        f"- {story.learnt} clips are few, and genres blur where people would disagree too (rock with country, metal "
        "and blues; disco with pop and hip hop): the accuracy above says how often the first genre is wrong.",
        "- Genre precision stands in for what people would like to hear next; nobody was asked.",
        "- Loudness is not heard; recording and mastering are, so old and new recordings of one style lie apart.",
        "- Calibration holds for music like the training clips. On speech, noise or other styles the posterior is as "
        "sure of itself, and wrong.",
    ]
