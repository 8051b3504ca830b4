from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from segue.core.errors import EnvironmentUnusable, Overloaded
from segue.core.features.config import FeatureConfig
from segue.core.process_pool import ProcessPool
from segue.server.inference.decode_task import DecodedClip, DecodeTask
from segue.server.inference.open_spool import open_spool
from tests.helpers.server.settings import parsed_settings


def refuse(_: DecodeTask) -> DecodedClip:
    """Works as on a system that forbids its processes to read any file of the server."""
    raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def test_workers_that_may_read_no_clip(tmp_path: Path) -> None:
    """A server whose streams would all fail does not start: the error says why, and names the option."""
    with (
        ProcessPool(1, refuse) as workers,
        pytest.raises(EnvironmentUnusable, match=f"streams in {tmp_path}: Permission denied.*--spool"),
    ):
        open_spool(parsed_settings("--spool", str(tmp_path)), workers, FeatureConfig())
    assert [] == list(tmp_path.iterdir())


def meet_full_disk(_: DecodeTask) -> DecodedClip:
    """Works as on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk(tmp_path: Path) -> None:
    """It keeps a server from starting only if its folder was named: unary calls do not need it."""
    with ProcessPool(1, meet_full_disk) as workers:
        with open_spool(parsed_settings(), workers, FeatureConfig()).open() as clip:
            assert clip.path.exists()
        with pytest.raises(Overloaded, match="disk is full"):
            open_spool(parsed_settings("--spool", str(tmp_path)), workers, FeatureConfig())
