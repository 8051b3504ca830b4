from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from segue.core.model.artifact import read_manifest
from segue.core.paths import resolve_model
from segue.server.cli.main import main


def test_shipped_models() -> None:
    """A model that ships is listed with its id and the figures of its manifest."""
    manifest = read_manifest(resolve_model("segue-fast"))
    ended = CliRunner().invoke(main, ["models"])
    assert 0 == ended.exit_code
    (line,) = [line for line in ended.output.splitlines() if manifest.model_id in line]
    assert f"{manifest.metrics['accuracy']:.3f}" in line
    assert f"{manifest.metrics['precision_at_10_other_artists']:.3f}" in line


def test_models_of_a_folder(tmp_path: Path) -> None:
    """The models in a folder are listed as well, a damaged one with its problem, and the exit code is then 1."""
    shutil.copytree(resolve_model("segue-fast"), tmp_path / "whole")
    shutil.copytree(resolve_model("segue-fast"), tmp_path / "broken")
    (tmp_path / "broken" / "saved_model" / "saved_model.pb").write_bytes(b"")
    ended = CliRunner().invoke(main, ["models", str(tmp_path), "--json"])
    models = {Path(model["folder"]).name: model for model in json.loads(ended.output)["models"]}
    assert 1 == ended.exit_code
    assert {"segue-fast", "whole", "broken"} <= set(models)
    assert "" == models["whole"]["problem"]
    assert "saved_model.pb" in models["broken"]["problem"]
    metrics = read_manifest(resolve_model("segue-fast")).metrics
    assert metrics["accuracy"] == models["segue-fast"]["accuracy"] == models["whole"]["accuracy"]


def test_an_artifact_itself() -> None:
    """A folder may be an artifact itself, and one that is named twice is listed once."""
    ended = CliRunner().invoke(main, ["models", str(resolve_model("segue-fast")), "--json"])
    folders = [model["folder"] for model in json.loads(ended.output)["models"]]
    assert 1 == folders.count(str(resolve_model("segue-fast")))
