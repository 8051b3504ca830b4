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
from segue.trainer.evaluation.leakage import Leakage, count_leakage, split_of
from segue.trainer.splits.split import Split, shipped_split

TRACKS = Split("mine", {"a": "train", "b": "valid", "c": "test", "disco.00098": "train"})
CHUNKS = Split("mine", {"a#00s": "train", "a#03s": "valid", "b#00s": "valid", "b#12s": "test"}, "chunk")


@pytest.mark.parametrize(
    ("split", "tracks", "met"),
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
def test_what_a_network_has_met_is_counted(split: Split | None, tracks: list[str], met: tuple[int, int]) -> None:
    """Also a chunk of a track that was learnt from, and a copy of it, were learnt from."""
    assert Leakage(*met) == count_leakage(split, tracks)


def test_the_shipped_network_was_trained_by_the_shipped_split() -> None:
    """No file beside it says so: the digest of the split does."""
    assert shipped_split("fault-filtered") == split_of(
        resolve_model("segue-fast"), read_manifest(resolve_model("segue-fast"))
    )


def test_an_archive_that_has_none_of_a_split_is_judged_whole(
    write_archive: Callable[..., Path], tiny_model: Path
) -> None:
    """It is said, and whether its tracks were learnt from is not known of a network without a split."""
    options = ["evaluate", "--model", str(tiny_model), "--input", str(write_archive(track=None)), "--json"]
    result = CliRunner().invoke(main, [*options, "--split", "fault-filtered"], catch_exceptions=False)
    figures = json.loads(result.stdout)
    assert (6, None, None) == (figures["n"], figures["side"], figures["learnt_from"])
    assert "has no track of the split fault-filtered: all of it is judged" in result.stderr


def test_training_tracks_are_told_of_the_shipped_network(write_archive: Callable[..., Path]) -> None:
    """Of six tracks of GTZAN those are named that it learnt from, though no split was asked for."""
    split = shipped_split("fault-filtered")
    tracks = [f"{genre}.{number:05}" for genre in ("blues", "rock") for number in range(3)]
    learnt = sum(split.side(track) == "train" for track in tracks)
    options = ["evaluate", "--model", "segue-fast", "--input", str(write_archive(track=np.array(tracks)))]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert 0 < learnt
    assert f"{learnt} of them LEARNT FROM" in result.stdout
