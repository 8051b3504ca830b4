"""The command that judges an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from segue.core.model.saved_model import Model
from segue.trainer import console
from segue.trainer.accurate.predict import predict_tagged
from segue.trainer.accurate.tags import read_tags
from segue.trainer.data.inputs import Selects, choose_side, open_input, select_all
from segue.trainer.data.labelled_windows import LabelledWindows, chunks_of
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.evaluation.leakage import Leakage, count_leakage, split_of
from segue.trainer.evaluation.metrics import K_VALUES, evaluation_metrics
from segue.trainer.evaluation.predict import predict
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.outputs import check_writable
from segue.trainer.reporting.report import REPORT, write_report
from segue.trainer.reporting.run_record import read_record
from segue.trainer.splits.split import TEST, Split, load_split

# What too few tracks do not have is null, rather than missing.
_LACKING = {f"precision_at_{k}": None for k in K_VALUES}


@dataclass(frozen=True)
class EvaluateSettings:
    """What ``segue-trainer evaluate`` was told.

    Attributes:
        model: the artifact's folder.
        source: a folder of audio or an archive, or a file of tags where ``tagged``.
        split: the name or the path of a split, or None for all of the input.
        side: the side that is judged, or None for the sternest that the input has.
        pool: the side that is recommended from, or None for the judged tracks.
        predictions: where they are written, or None.
        report: the folder that a report is written into, or None.
        tagged: whether the head of a network over tags is judged alone, by a file of tags.
    """

    model: Path
    source: Path
    split: str | None
    side: str | None
    pool: str | None
    predictions: Path | None
    report: Path | None = None
    tagged: bool = False


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Evaluates an artifact.

    Returns:
        The figures by name, with the model id, how many of the tracks the network has seen (None where that is not
        recorded), and the name, digest and side of the split where there is one.

    Raises:
        SegueError: the artifact, the input or the split cannot be used.
    """
    _check_outputs(settings)
    model = Model.load(settings.model)
    split = load_split(settings.split) if settings.split else None
    tracks = _TaggedTracks(settings.source, model) if settings.tagged else _AudioTracks(settings.source, model)
    side = _side(settings, split, tracks.genres) if split else None
    judged = tracks.predict(split, side)
    # Recommended from its own side, a track is left out for itself.
    others = settings.pool if settings.pool != side else None
    pool = tracks.predict(split, others) if others else None
    met = count_leakage(split_of(settings.model, model.manifest), judged.tracks)
    if settings.predictions:
        judged.save(settings.predictions)
    if settings.report:
        where = f"side {side or 'all'} of {split.label}" if split else "the whole input"
        judged_on = ", ".join([f"{len(judged.tracks)} tracks", where, *met.sentences()])
        analysis = analyze_predictions(judged, pool, model.manifest.temperature, refit=met.chosen_by != 0)
        write_report(settings.report, model.manifest, analysis, read_record(settings.model), judged_on)
        console.note(f"report written to {settings.report / REPORT}")
    about = {"split": split.label, "split_digest": split.digest, "side": side, "pool": settings.pool} if split else {}
    return {"model_id": model.manifest.model_id, **about, **asdict(met), **_LACKING, **evaluation_metrics(judged, pool)}


def show_figures(figures: Mapping[str, Any]) -> None:
    """Prints what ``evaluate`` answers as a table."""
    side = f", {figures['side'] or 'all'} of {figures['split']}" if "split" in figures else ""
    pool = f"the side {figures['pool']}" if figures.get("pool") else "among themselves, each left out for itself"
    met = {name: figures[name] for name in ("learnt_from", "chosen_by") if name in figures}
    shown = {name: value for name, value in figures.items() if isinstance(value, (int, float)) or name in _LACKING}
    numbers = {name: value for name, value in shown.items() if name not in met}
    remarks = Leakage(**met).sentences() if met else []
    title = "\n".join([f"{figures['model_id']}{side}", *remarks, f"recommended: {pool}"])
    Console().print(console.figures_table(numbers, title))


def _check_outputs(settings: EvaluateSettings) -> None:
    """Refuses to write where that fails, or into the artifact, which a file that it does not name makes unusable."""
    model = settings.model.resolve()
    for path in filter(None, (settings.report, settings.predictions)):
        if path.resolve().is_relative_to(model):
            raise DataUnusable(f"{path} lies in the artifact that is judged. Name a place outside {settings.model}.")
        check_writable(path)


def _side(settings: EvaluateSettings, split: Split, tracks: Mapping[str, str]) -> str | None:
    """Returns the side that is evaluated, or None for all of an archive that has no track of the split."""
    if split.leaky:
        return settings.side or TEST
    if settings.side or settings.source.is_dir() or any(track in split.sides for track in tracks):
        return choose_side(split, settings.side, tracks)
    console.note(f"{settings.source} has no track of the split {split.label}: all of it is judged")
    return None


class _TaggedTracks:
    """Tracks of a file of tags, which is read once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._tracks, self._model = read_tags(path), model

    @property
    def genres(self) -> dict[str, str]:
        return {track.track: track.genre for track in self._tracks}

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        selects = _on(split, side)
        return predict_tagged(self._model, [track for track in self._tracks if selects(track.track)])


class _AudioTracks:
    """Tracks of a folder of audio or of an archive; each is extracted once."""

    def __init__(self, path: Path, model: Model) -> None:
        self._input, self._model = open_input(path, model.manifest.features), model
        self._chunks: list[LabelledWindows] | None = None

    @property
    def genres(self) -> dict[str, str]:
        return self._input.genres

    def predict(self, split: Split | None, side: str | None) -> Predictions:
        selects = _on(split, side)
        if not (split and split.leaky):
            return predict(self._model, self._extract(selects))
        if self._chunks is None:
            self._chunks = [chunk for clip in self._extract(select_all) for chunk in chunks_of(clip)]
        return predict(self._model, [chunk for chunk in self._chunks if selects(chunk.track)])

    def _extract(self, selects: Selects) -> list[LabelledWindows]:
        with console.bar("extracting windows") as bar:
            extracted, dropped = self._input.extract(self._model.manifest.windows, selects, bar)
        console.dropped(dropped)
        return extracted


def _on(split: Split | None, side: str | None) -> Selects:
    return lambda track: split is None or side is None or split.side(track) == side
