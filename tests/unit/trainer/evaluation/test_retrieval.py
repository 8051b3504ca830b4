from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.trainer.evaluation.metrics import evaluation_metrics
from segue.trainer.evaluation.retrieval import precision_table
from segue.trainer.splits.split import gtzan_artists
from tests.helpers.trainer.predictions import make_predictions


def test_recommendations_are_compared_with_random_ones() -> None:
    """Exact and approximate search agree on so few tracks; 19 of the 59 others have the genre."""
    rows = {(row.pool, row.k): row for row in precision_table(make_predictions(), None)}
    exact, approximate = rows["leave-one-out", 5], rows["leave-one-out, hnswlib's graph", 5]
    assert pytest.approx(exact.precision.mean) == approximate.precision.mean
    assert pytest.approx(19 / 59) == exact.random
    assert exact.precision.low < exact.precision.mean < exact.precision.high


@pytest.mark.parametrize(("count", "names"), [(5, []), (6, ["at_5"]), (11, ["at_5", "at_10"])])
def test_fewer_tracks_than_recommendations_have_no_precision(count: int, names: list[str]) -> None:
    """The first seven recommendations are not reported as the first ten."""
    figures = evaluation_metrics(make_predictions(count))
    assert names == [name.removeprefix("precision_") for name in figures if name.startswith("precision")]
    rows = precision_table(make_predictions(count), None)
    assert {int(name.removeprefix("at_")) for name in names} == {row.k for row in rows if row.pool == "leave-one-out"}


def test_no_track_of_the_seed_s_artist_is_recommended() -> None:
    """The precision falls without the tracks of an artist if they all have the same embedding."""
    predictions = make_predictions()
    artists = gtzan_artists()
    names = [artists[track].casefold() or track for track in predictions.tracks]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    embedding = np.eye(len(numbers), dtype=np.float32)[[numbers[name] for name in names]]
    rows = {(row.pool, row.k): row for row in precision_table(replace(predictions, embedding=embedding), None)}
    assert (
        rows["leave-one-out, no track of the seed's artist", 5].precision.mean < rows["leave-one-out", 5].precision.mean
    )


def test_other_music_has_no_artists() -> None:
    """The rows without the seed's artist are left out where an artist is unknown."""
    gtzan = precision_table(make_predictions(), make_predictions())
    others = precision_table(make_predictions(named=False), make_predictions(named=False))
    assert any("artist" in row.pool for row in gtzan)
    assert [] == [row for row in others if "artist" in row.pool]
