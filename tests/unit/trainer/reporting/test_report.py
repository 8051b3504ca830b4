from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from segue.core.features.config import FeatureConfig
from segue.core.model.artifact import Manifest
from segue.core.paths import resolve_model
from segue.trainer.errors import DataUnusable
from segue.trainer.evaluation.analysis import analyze_predictions
from segue.trainer.reporting.report import write_report
from segue.trainer.reporting.run_record import RunRecord, read_record
from tests.helpers.trainer.predictions import LABELS, make_predictions

MANIFEST = Manifest("net", "net-1", LABELS, 10, 8, 6, FeatureConfig(), 1.5)
RECORD = RunRecord(
    network="paper-cnn",
    embedding="last hidden layer",
    split="paper",
    split_digest="ab12",
    data_digest="cd34",
    train=10,
    validation=60,
    plan={"seed": 5, "epochs": 50},
    epochs=3,
    best_epoch=2,
    seconds=90.0,
    versions={"python": "3"},
    history={f"{side}{name}": [2.0, 1.0, 1.5] for side in ("", "val_") for name in ("loss", "log_loss", "accuracy")},
)


def test_a_report_has_figures_and_settings(tmp_path: Path) -> None:
    """Each figure on the page is a PNG; seed, digests, versions and wall time are in the text."""
    analysis = analyze_predictions(make_predictions(), make_predictions(), 1.5)
    write_report(tmp_path, MANIFEST, analysis, RECORD, "60 clips")
    text = (tmp_path / "report.md").read_text()
    for name in ("curves", "confusion", "reliability", "map"):
        assert f"(figures/{name}.png)" in text
        image = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert image.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", image[16:24])) >= 400
    for part in ("ab12", "cd34", "| seed | 5 |", "1.5 minutes", "python 3", "3, 50, 2", "hnswlib", "from the pool"):
        assert part in text
    assert "**" not in text


@pytest.mark.parametrize(
    ("leaky", "trained_on", "warning"), [(True, False, "**LEAKY**"), (False, True, "**TRAINING SIDE**")]
)
def test_figures_that_are_too_good_have_a_warning(tmp_path: Path, leaky: bool, trained_on: bool, warning: str) -> None:
    """The warning comes before the figures."""
    analysis = analyze_predictions(make_predictions(9), None, 1.5)
    write_report(tmp_path, MANIFEST, analysis, None, "9 tracks", leaky=leaky, trained_on=trained_on)
    head, _, _ = (tmp_path / "report.md").read_text().partition("## Figures")
    assert warning in head


def test_a_report_without_a_run_has_no_curves(tmp_path: Path) -> None:
    """An artifact without a record is evaluated, too, and older curves are removed."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "curves.png").touch()
    write_report(tmp_path, MANIFEST, analyze_predictions(make_predictions(9), None, 1.5), None, "9 tracks")
    assert "curves.png" not in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "figures" / "curves.png").exists()


def test_a_temperature_of_other_clips_is_not_fitted_again(tmp_path: Path) -> None:
    """The page has no row for one."""
    analysis = analyze_predictions(make_predictions(), None, 2.0, refit=False)
    write_report(tmp_path, MANIFEST, analysis, None, "60 clips")
    assert "temperature fitted on other clips |" not in (tmp_path / "report.md").read_text()


def test_a_record_is_read_back(tmp_path: Path) -> None:
    """The file is plain JSON with all fields."""
    RECORD.save(tmp_path)
    assert RECORD == read_record(tmp_path)
    assert "paper-cnn" == json.loads((tmp_path / "run.json").read_text())["network"]


def test_the_record_of_the_shipped_network_is_read() -> None:
    """Its fields have the names of the version that wrote it."""
    record = read_record(resolve_model("segue-fast"))
    assert record
    assert (640, 0, 0.6) == (record.train, record.validation, record.plan["trust"])


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"network": "paper-cnn"}'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    """The message names the file."""
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataUnusable, match=r"run\.json is not the record of a run"):
        read_record(tmp_path)
