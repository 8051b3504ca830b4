"""Each of the paper's networks is trained by one command and served by one."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import soundfile
from click.testing import CliRunner

from segue.core.model.artifact import read_manifest
from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.cli.main import main
from tests.helpers.clips import wav
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs

SECONDS = {"paper-cnn": 3, "paper-cnn-lstm": 3, "paper-cnn-lstm-30s": 30}
"""The shortest clip of each network, rounded up."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rendered clips of 30 s in each of two genres."""
    folder = tmp_path_factory.mktemp("rendered")
    for number, genre in enumerate(("brisk", "calm")):
        (folder / genre).mkdir()
        for seed in range(4):
            path = folder / genre / f"{genre}.{seed:05}.wav"
            soundfile.write(path, render_clip(3 * number, 30, seed=seed), 22_050, subtype="PCM_16")
    return folder


@pytest.mark.parametrize("network", SECONDS)
def test_a_paper_s_network_is_served(network: str, folder: Path, tmp_path: Path) -> None:
    """The trained model classifies over gRPC, and refuses a clip that is shorter than its window."""
    model, cache = tmp_path / network, folder.parent / "cache"
    command = ("train", "--input", folder, "--network", network, "--epochs", 1, "--output", model, "--cache", cache)
    trained = CliRunner().invoke(main, [*map(str, command)], catch_exceptions=False)
    assert 0 == trained.exit_code, trained.stderr
    options = ("--model", str(model), "--data", str(tmp_path / "data"))
    with running_server(*options) as server:
        stubs = Stubs(server.address)
        answer = stubs.classify(wav(SECONDS[network]))
        assert read_manifest(model).model_id == answer.revision.model_id
        assert {"brisk", "calm"} == {score.genre for score in answer.scores}
        with pytest.raises(grpc.RpcError) as refused:
            stubs.classify(wav(SECONDS[network] - 0.5))
    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
