"""The building of components."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.core.errors import EnvironmentUnusable
from segue.server import assembly as assemblies
from segue.server.assembly import Assembly
from segue.server.observability.metrics import Metrics
from segue.server.rpc.track_messages import encode_track
from tests.helpers.server.settings import parsed_settings


def test_the_metrics_of_a_model_that_does_not_load(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics stay those of the model that serves until another one is complete; it may never be."""

    def fail(*_: object) -> None:
        raise EnvironmentUnusable("The disk is full.")

    metrics = Metrics()
    metrics.set_model("serves")
    monkeypatch.setattr(assemblies, "open_spool", fail)
    settings = parsed_settings("--data", str(tmp_path), "--model", str(tiny_model))
    assembly = Assembly(settings, metrics, encode_track)
    with pytest.raises(EnvironmentUnusable):
        assembly.build()
    assembly.close()
    assert 1.0 == metrics.registry.get_sample_value("segue_model_info", {"model_id": "serves"})
