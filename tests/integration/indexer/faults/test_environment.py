"""A machine on which nothing can be decoded: the run says so, and no file is blamed."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from segue.core.errors import EnvironmentUnusable
from segue.core.features.config import FeatureConfig
from segue.indexer.pipeline.examine import examine
from tests.helpers.clips import wav
from tests.helpers.indexer import Indexer

# Python runs a module of this name at its start. This one ends the process that worker processes are forked from.
_NO_WORKERS = "import os, sys\nif 'forkserver' in sys.orig_argv[-1]: os._exit(3)\n"


def test_worker_processes_that_cannot_start(tmp_path: Path, indexer: Indexer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends with a sentence about the machine; no file has failed, and the next run adds it."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(wav(5))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "sitecustomize.py").write_text(_NO_WORKERS)
    with monkeypatch.context() as broken:
        broken.setenv("PYTHONPATH", str(tmp_path / "modules"))
        ended = indexer.add(clip)
    assert 1 == ended.returncode
    assert "segue-indexer: No worker process can start on this machine" in ended.stderr
    assert "Traceback" not in ended.stderr
    with indexer.store() as store:
        assert [] == list(store.all_failures())
    assert 1 == indexer.report(clip)["added"]


def test_too_few_open_files(tmp_path: Path) -> None:
    """A limit that the machine sets is not remembered as a fault of the file."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(wav(5))
    examine(clip, FeatureConfig(), 10)  # loads the modules, which are files, too
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with clip.open("rb") as first_free:
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free.fileno(), hard))
        try:
            with pytest.raises(EnvironmentUnusable, match=r"clip\.wav needs what this machine lacks"):
                examine(clip, FeatureConfig(), 10)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
