from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segue.core.model.artifact import read_manifest
from segue.core.paths import resolve_model
from segue.trainer.cli.main import main
from segue.trainer.evaluation.leakage import Leakage, count_leakage, training_split
from segue.trainer.splits.split import Split, shipped_split

TRACKS = Split("mine", {"a": "train", "b": "valid", "c": "test", "disco.00098": "train"})
CHUNKS = Split("mine", {"a#00s": "train", "a#03s": "valid", "b#00s": "valid", "b#12s": "test"}, "chunk")


@pytest.mark.parametrize(
    ("split", "tracks", "seen"),
    [
        (TRACKS, ["a", "b", "c", "x"], (1, 1)),
        (TRACKS, ["a#00s", "a#27s", "c#00s"], (2, 0)),
        (TRACKS, ["disco.00099"], (1, 0)),
        (CHUNKS, ["a", "b", "c"], (1, 1)),
        (CHUNKS, ["a#06s", "b#12s"], (1, 1)),
        (None, ["a"], (None, None)),
    ],
    ids=["tracks", "chunks of tracks", "known duplicate", "tracks of chunks", "chunks", "not recorded"],
)
def test_tracks_that_a_network_has_seen_are_counted(
    split: Split | None, tracks: list[str], seen: tuple[int, int]
) -> None:
    """Chunks and known duplicates of a track that was trained on count as trained on."""
    assert Leakage(*seen) == count_leakage(split, tracks)


def test_the_shipped_network_was_trained_on_both_sides_of_the_shipped_split() -> None:
    """Its own split has the training and the validation tracks on the training side, and the test tracks on none."""
    folder, shipped = resolve_model("segue-fast"), shipped_split("fault-filtered")
    own = training_split(folder, read_manifest(folder))
    assert own
    trained_on = {track for track, side in shipped.sides.items() if side in {"train", "valid"}}
    assert trained_on == {track for track, side in own.sides.items() if side == "train"}


def test_an_archive_without_tracks_of_a_split_is_evaluated_whole(
    write_archive: Callable[..., Path], tiny_model: Path
) -> None:
    """A message says so; for a network without a split the leakage is unknown."""
    options = ["evaluate", "--model", str(tiny_model), "--input", str(write_archive(track=None)), "--json"]
    result = CliRunner().invoke(main, [*options, "--split", "fault-filtered"], catch_exceptions=False)
    figures = json.loads(result.stdout)
    assert (6, None, None) == (figures["n"], figures["side"], figures["trained_on"])
    assert "has no track of the split fault-filtered: all of it is evaluated" in result.stderr


def test_training_tracks_of_the_shipped_network_are_counted(write_archive: Callable[..., Path]) -> None:
    """The table counts those among six tracks of GTZAN, even if no split is given."""
    split = shipped_split("fault-filtered")
    tracks = [f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)]
    trained_on = sum(split.side(track) in {"train", "valid"} for track in tracks)
    options = ["evaluate", "--model", "segue-fast", "--input", str(write_archive(track=np.array(tracks)))]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert 0 < trained_on
    assert f"{trained_on} of them on the TRAINING SIDE" in " ".join(result.stdout.split())
