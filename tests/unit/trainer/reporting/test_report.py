from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest
from segue.trainer.evaluation.analysis import analyze_predictions, cross_fitted, window_agreement
from segue.trainer.evaluation.metrics import (
    bootstrap_interval,
    classification_metrics,
    evaluation_metrics,
    fit_temperature,
    log_softmax,
    reliability_bins,
)
from segue.trainer.evaluation.predictions import Predictions
from segue.trainer.evaluation.retrieval import precision_table
from segue.trainer.reporting.report import write_report
from segue.trainer.reporting.run_record import RunRecord, read_record
from segue.trainer.splits.split import gtzan_artists

LABELS = ("blues", "jazz", "rock")


def predictions(count: int = 60, *, named: bool = True, sharp: float = 4.0) -> Predictions:
    """Answers that are often right; GTZAN's names or others."""
    random = np.random.default_rng(0)
    genres = np.arange(count) % 3
    logits = random.standard_normal((count, 3)) + 1.5 * np.eye(3)[genres]
    embedding = random.standard_normal((count, 6)) + 2 * np.eye(6)[genres]
    windows = np.exp(log_softmax(logits[:, None] + random.standard_normal((count, 4, 3))))
    tracks = [f"{LABELS[genre]}.{number:05}" if named else f"mine/{number}" for number, genre in enumerate(genres)]
    return Predictions(
        tracks=tuple(tracks),
        genres=genres,
        labels=LABELS,
        posterior=np.exp(log_softmax(sharp * logits)).astype(np.float32),
        embedding=(embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype(np.float32),
        window_posteriors=tuple(windows.astype(np.float32)),
    )


def test_the_temperature_is_taken_out_again() -> None:
    """What the posterior was before its temperature is judged as it was."""
    judged, plain = predictions(sharp=1.0), predictions(sharp=2.0)
    halved = analyze_predictions(judged, None, temperature=2.0)
    assert (
        pytest.approx(analyze_predictions(plain, None, temperature=1.0).figures["log_loss"], abs=1e-5)
        == (halved.figures["log_loss_raw"])
    )


def test_cross_fitting_softens_by_what_others_need() -> None:
    """Too sharp a posterior gets better, but not as much as by a temperature that saw the same clips."""
    judged = predictions(sharp=4.0)
    analysis = analyze_predictions(judged, None, temperature=1.0)
    logits = np.log(judged.posterior)
    best = log_softmax(logits / fit_temperature(logits, judged.genres))
    least = -best[np.arange(60), judged.genres].mean()
    assert least < analysis.figures["log_loss_cross_fitted"] < analysis.figures["log_loss_raw"]


def test_few_clips_are_not_fitted() -> None:
    """Four clips tell no temperature, and no figure passes for one at a temperature that they were not fitted on."""
    judged = predictions(4)
    assert cross_fitted(judged.posterior, judged.genres) is None
    assert [] == [name for name in analyze_predictions(judged, None, 1.0).figures if "cross_fitted" in name]


def test_clips_that_fitted_nothing_are_judged_as_served(tmp_path: Path) -> None:
    """The temperature is one of other clips already: the test side is never used to fit another."""
    judged = predictions(sharp=4.0)
    analysis = analyze_predictions(judged, None, 2.0, refit=False)
    assert reliability_bins(judged.posterior, judged.genres) == analysis.after
    write_report(tmp_path, MANIFEST, analysis, None, "60 clips")
    assert "temperature fitted on other clips |" not in (tmp_path / "report.md").read_text()


def test_reliability_adds_up_to_the_calibration_error() -> None:
    """The bins of the diagram are those of the figure."""
    judged = predictions()
    bins = reliability_bins(judged.posterior, judged.genres)
    assert 60 == sum(part.clips for part in bins)
    error = sum(abs(part.confidence - part.accuracy) * part.clips for part in bins) / 60
    assert pytest.approx(error) == classification_metrics(judged.posterior, judged.genres)["ece"]


def test_confusion_and_genres_are_those_of_the_answers() -> None:
    """Rows of the matrix add up to the clips of a genre, and its diagonal to the accuracy."""
    analysis = analyze_predictions(predictions(), None, 1.0)
    assert [20, 20, 20] == analysis.confusion.sum(1).tolist()
    assert pytest.approx(analysis.figures["accuracy"]) == analysis.confusion.trace() / 60
    for place, row in enumerate(analysis.genres):
        assert pytest.approx(row.recall) == analysis.confusion[place, place] / 20


def test_windows_agree_with_their_clip_or_not() -> None:
    """Three windows of four that say what the clip says are 0.75."""
    one = predictions(1)
    windows = np.eye(3, dtype=np.float32)[[one.posterior[0].argmax()] * 3 + [one.posterior[0].argmin()]]
    assert 0.75 == window_agreement(Predictions(**{**vars(one), "window_posteriors": (windows,)}))


def test_recommendations_stand_beside_random_and_exact_search() -> None:
    """Exact search and the graph agree on so few tracks; at random 19 of 59 others have the genre."""
    rows = {(row.what, row.k): row for row in precision_table(predictions(), None)}
    exact, graph = rows["leave-one-out", 5], rows["leave-one-out, hnswlib's graph", 5]
    assert pytest.approx(exact.mean) == graph.mean
    assert pytest.approx(19 / 59) == exact.random
    assert exact.low < exact.mean < exact.high


@pytest.mark.parametrize(("count", "names"), [(5, []), (6, ["at_5"]), (11, ["at_5", "at_10"])])
def test_fewer_tracks_than_are_recommended_have_no_precision(count: int, names: list[str]) -> None:
    """The first ten of seven would be another figure than the first ten."""
    figures = evaluation_metrics(predictions(count))
    assert names == [name.removeprefix("precision_") for name in figures if name.startswith("precision")]
    assert {int(name.removeprefix("at_")) for name in names} == {
        row.k for row in precision_table(predictions(count), None) if row.what == "leave-one-out"
    }


def test_chunks_are_judged_by_their_tracks() -> None:
    """Ten chunks of each of six tracks leave more open than sixty tracks do."""
    tracks = predictions()
    chunks = Predictions(**{**vars(tracks), "tracks": tuple(f"a{n // 10}#{n % 10:02}s" for n in range(60))})
    assert evaluation_metrics(tracks)["accuracy"] == evaluation_metrics(chunks)["accuracy"]
    assert evaluation_metrics(tracks)["accuracy_low"] != evaluation_metrics(chunks)["accuracy_low"]


def test_no_track_of_the_seed_s_artist_is_recommended() -> None:
    """With one artist's tracks as near as can be, they count only where they are allowed."""
    judged = predictions()
    artists = gtzan_artists()
    names = [artists[track].casefold() or track for track in judged.tracks]
    together = {name: number for number, name in enumerate(sorted(set(names)))}
    embedding = np.eye(len(together), dtype=np.float32)[[together[name] for name in names]]
    rows = {
        (row.what, row.k): row for row in precision_table(Predictions(**{**vars(judged), "embedding": embedding}), None)
    }
    assert rows["leave-one-out, no track of the seed's artist", 5].mean < rows["leave-one-out", 5].mean


def test_other_music_has_no_artists() -> None:
    """Where an artist is not known the row is left out, not guessed."""
    named = precision_table(predictions(), predictions())
    others = precision_table(predictions(named=False), predictions(named=False))
    assert any("artist" in row.what for row in named)
    assert [] == [row for row in others if "artist" in row.what]


def test_the_bootstrap_covers_the_textbook_s_interval() -> None:
    """For a mean of many values it is 1.96 standard errors either way."""
    values = np.random.default_rng(1).standard_normal(400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert pytest.approx((values.mean() - half, values.mean() + half), abs=0.02) == (low, high)


MANIFEST = Manifest("net", "net-1", LABELS, 10, 8, 6, FeatureConfig(), 1.5)
RECORD = RunRecord(
    network="paper-cnn",
    embedding="last hidden layer",
    split="paper",
    split_digest="ab12",
    data_digest="cd34",
    learnt=10,
    valid=60,
    plan={"seed": 5, "epochs": 50},
    epochs=3,
    best_epoch=2,
    seconds=90.0,
    versions={"python": "3"},
    history={f"{side}{name}": [2.0, 1.0, 1.5] for side in ("", "val_") for name in ("loss", "log_loss", "accuracy")},
)


def test_a_report_is_a_folder_that_says_it_all(tmp_path: Path) -> None:
    """Every figure that the page shows is a PNG beside it; seed, digests, versions and wall time are in the text."""
    write_report(tmp_path, MANIFEST, analyze_predictions(predictions(), predictions(), 1.5), RECORD, "60 clips")
    text = (tmp_path / "report.md").read_text()
    for name in ("curves", "confusion", "reliability", "map"):
        assert f"(figures/{name}.png)" in text
        image = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert image.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", image[16:24])) >= 400
    for part in ("ab12", "cd34", "| seed | 5 |", "1.5 minutes", "python 3", "3, 50, 2", "hnswlib", "from the pool"):
        assert part in text
    assert "LEAKY" not in text


def test_a_report_without_a_run_has_no_curves(tmp_path: Path) -> None:
    """An artifact from elsewhere is judged all the same, and a leaky split is called so."""
    write_report(tmp_path, MANIFEST, analyze_predictions(predictions(9), None, 1.5), None, "9 chunks of mine (LEAKY)")
    text = (tmp_path / "report.md").read_text()
    assert "curves.png" not in text
    assert "**LEAKY**" in text
    assert not (tmp_path / "figures" / "curves.png").exists()


def test_a_record_is_read_back(tmp_path: Path) -> None:
    """All of it, as plain JSON."""
    RECORD.save(tmp_path)
    assert RECORD == read_record(tmp_path)
    assert "paper-cnn" == json.loads((tmp_path / "run.json").read_text())["network"]
