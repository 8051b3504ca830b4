"""The results of a run, which are kept when its model is gone: its record, and the measures of each clip."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segue.core.quantities import quantity
from segue.trainer.arrays import AnyFloats
from segue.trainer.comparison.runs import Run
from segue.trainer.data.train_valid_split import TrainValidSplit
from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.outputs import write_text
from segue.trainer.reporting.run_record import RunRecord, read_record

CLIPS = "clips.tsv"
MEASURES = ("accuracy", "log_loss_raw", "log_loss", "precision_at_5", "precision_at_10")
"""1 where the first genre is right and 0 where it is not; the log-loss in nats before the temperature and at one that
other clips fitted; and the share of the first 5 and 10 recommendations that have the clip's genre."""


@dataclass(frozen=True)
class RunResults:
    """The results of a run.

    Attributes:
        run: the run.
        split_digest: digest of the split's sides.
        record: how its network was trained; None for networks that are joined.
        clips: names of the evaluated clips or chunks, [n].
        measures: ``MEASURES`` of each clip [n], by name.
    """

    run: Run
    split_digest: str
    record: RunRecord | None
    clips: tuple[str, ...]
    measures: dict[str, AnyFloats]

    def save(self, parent: Path) -> None:
        """Writes the results into the run's folder."""
        folder = self.run.folder(parent)
        folder.mkdir(parents=True, exist_ok=True)
        if self.record:
            self.record.save(folder)
        write_text(folder / CLIPS, _head(self.run, self.split_digest) + _to_table(self.clips, self.measures))


def has_results(run: Run, parent: Path) -> bool:
    """Returns True if the results of a run were saved."""
    return (run.folder(parent) / CLIPS).exists()


def read_results(run: Run, parent: Path, data: TrainValidSplit) -> RunResults:
    """Reads the results of a run.

    Args:
        run: the run.
        parent: folder of the results of all runs.
        data: the clips of its split.

    Raises:
        DataUnusable: they are damaged, or they are those of another network or seed.
        SplitMismatch: they are those of other clips.
    """
    folder = run.folder(parent)
    record = read_record(folder)
    if len(run.members) == 1:
        check_record(record, run, folder)
    text = _read_text(folder / CLIPS)
    names, measures = _from_table(text, folder / CLIPS)
    if names != tuple(clip.track for clip in data.validation.clips):
        raise SplitMismatch(
            f"{folder} has results of {quantity(len(names), 'clip')} that are not the "
            f"{len(data.validation.clips)} of {data.split.label} in this input. Name the same --input, or remove it."
        )
    if not text.startswith(_head(run, data.split.digest)):
        raise DataUnusable(f"{folder / CLIPS} has the results of another network, seed or split. Remove its folder.")
    return RunResults(run, data.split.digest, record, names, measures)


def check_record(record: RunRecord | None, run: Run, folder: Path) -> None:
    """Checks that a record is that of a run.

    Raises:
        DataUnusable: there is none, or it is that of another network or seed.
    """
    if record is None:
        raise DataUnusable(f"{folder} has no record of its run. Remove it, and train the network again.")
    seed = record.plan.get("seed")
    if (record.network, seed) != (run.network, run.seed):
        raise DataUnusable(
            f"{folder} holds {record.network} of seed {seed}, not {run.network} of seed {run.seed}. Move it to the "
            "folder of its own name, or remove it."
        )


def _head(run: Run, split_digest: str) -> str:
    return f"# network {run.network}\n# seed {run.seed}\n# split {split_digest}\n"


def _to_table(clips: Sequence[str], measures: dict[str, AnyFloats]) -> str:
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(("clip", *MEASURES))
    table.writerows((clip, *(f"{measures[name][row]:.5g}" for name in MEASURES)) for row, clip in enumerate(clips))
    return text.getvalue()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataUnusable(f"{path} cannot be read: {error}. Remove its folder.") from error


def _from_table(text: str, path: Path) -> tuple[tuple[str, ...], dict[str, AnyFloats]]:
    try:
        lines = (line for line in io.StringIO(text) if not line.startswith("# "))
        rows = list(csv.DictReader(lines, delimiter="\t"))
        measures = {name: np.array([float(row[name]) for row in rows]) for name in MEASURES}
        names = tuple(row["clip"] for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise DataUnusable(f"{path} is not a table of results, or it is damaged. Remove its folder.") from error
    if not all(np.isfinite(values).all() for values in measures.values()):
        raise DataUnusable(f"{path} has figures that are not finite numbers. Remove its folder.")
    return names, measures
