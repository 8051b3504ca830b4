"""Runs ``segue-trainer suggest``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segue.core.model.known_models import require_model
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.accurate.predict import decide_by_tags, require_tag_network
from segue.trainer.arrays import Floats
from segue.trainer.labelling.music import MusicFile, list_music
from segue.trainer.labelling.output import SuggestedClip, print_json, print_paths, print_table
from segue.trainer.labelling.ranking import rank_clips
from segue.trainer.labelling.tag_cache import TagCache
from segue.trainer.labelling.tagging import tag_music, tag_recipe
from segue.trainer.settings import SuggestSettings

_REMEDY = "With --model, name a model that segue-trainer train-accurate trained, or segue-accurate."


def suggest(settings: SuggestSettings) -> None:
    """Prints the clips of a folder whose labels should improve a model most.

    Raises:
        SegueError: the model, the folder or the cache of tags cannot be used.
    """
    model = load_model(require_model(settings.model))
    require_tag_network(model.manifest, _REMEDY)
    files, unreachable = list_music(settings.source)
    tagged, undecoded = _tag(files, model, settings.tag_cache)
    left_out = unreachable | undecoded
    console.notify_dropped({str(path): reason for path, reason in left_out.items()})
    clips = _choose(model, tagged, settings.limit)
    if len(clips) < settings.limit:
        console.notify(
            f"{quantity(len(clips), 'clip')} of {settings.limit:,}: {settings.source} has no others that can be used, "
            "copies not counted"
        )
    _print(clips, settings, model.manifest.model_id, len(tagged), left_out)


def _tag(files: Sequence[MusicFile], model: Model, path: Path) -> tuple[dict[MusicFile, Floats], dict[Path, str]]:
    cache = TagCache.open(path, tag_recipe(model.manifest))
    with console.progress_bar("tagging clips") as progress:
        tagged, left_out = tag_music(files, model, cache, progress)
    if cache.trouble:
        console.notify(cache.trouble)
    return tagged, left_out


def _choose(model: Model, tagged: Mapping[MusicFile, Floats], limit: int) -> list[SuggestedClip]:
    posterior = np.stack([prediction.posterior for prediction in decide_by_tags(model, list(tagged.values()))])
    means = np.stack([tags.mean(0) for tags in tagged.values()])
    files, labels = list(tagged), model.manifest.labels
    best = np.argsort(-posterior, axis=1, kind="stable")[:, :2]
    return [
        SuggestedClip(
            path=files[chosen.row].path,
            genres=tuple((labels[genre], float(posterior[chosen.row, genre])) for genre in best[chosen.row]),
            margin=chosen.margin,
            similarity=chosen.similarity,
        )
        for chosen in rank_clips(posterior, means, limit)
    ]


def _print(
    clips: Sequence[SuggestedClip], settings: SuggestSettings, model_id: str, files: int, left_out: Mapping[Path, str]
) -> None:
    if settings.as_json:
        print_json(clips, model_id, files, left_out)
    elif settings.path_end:
        print_paths(clips, settings.path_end)
    else:
        print_table(clips, f"{quantity(len(clips), 'clip')} of {files:,} to label next, by {model_id}")
