"""Opens a spool, and shows that a worker process can read its clips."""

from __future__ import annotations

import logging
import tempfile

from segue.core.errors import EnvironmentUnusable, Overloaded
from segue.core.features.config import FeatureConfig
from segue.core.features.trial_clip import trial_clip
from segue.core.process_pool import ProcessPool
from segue.server.inference.decode_task import DecodedClip, DecodeTask
from segue.server.inference.spool import FULL_DISK, Spool, storage_error
from segue.server.settings import Settings

_MIB = 2**20

_log = logging.getLogger(__name__)


def open_spool(settings: Settings, workers: ProcessPool[DecodeTask, DecodedClip], config: FeatureConfig) -> Spool:
    """Returns the spool of a server, whose clips have names only if workers cannot open them otherwise.

    The system may forbid a process to open the files of another below ``/proc``: for a Python with capabilities, for
    example. Without ``--spool``, a temporary folder that is full or cannot be written fails each stream, but not the
    start.

    Args:
        settings: the settings of the server.
        workers: the worker processes.
        config: settings of the model's front end.

    Raises:
        EnvironmentUnusable: the folder of ``--spool`` cannot be written, or workers cannot read a clip in it.
        Overloaded: its disk is full.
    """
    spool = _spool(settings, is_named=False)
    try:
        problem = _problem(spool, workers, config)
    except (EnvironmentUnusable, Overloaded):
        if settings.spool:
            raise
        return spool
    if problem is None:
        return spool
    return _named_spool(settings, workers, config, problem)


def _named_spool(
    settings: Settings, workers: ProcessPool[DecodeTask, DecodedClip], config: FeatureConfig, problem: OSError
) -> Spool:
    spool = _spool(settings, is_named=True)
    folder = settings.spool or tempfile.gettempdir()
    if remaining := _problem(spool, workers, config):
        raise EnvironmentUnusable(
            f"Worker processes cannot read the clips of streams in {folder}: {remaining.strerror}. Name another folder "
            "with --spool, or repair what keeps processes of one user from reading each other's files."
        )
    _log.warning(
        "worker processes may not open the server's files below /proc (%s), so the clips of streams have names in %s; "
        "if the server is killed, remove the files *.audio there",
        problem.strerror,
        folder,
    )
    return spool


def _spool(settings: Settings, *, is_named: bool) -> Spool:
    return Spool(settings.spool, settings.spool_mib * _MIB, settings.stream_mib * _MIB, is_named=is_named)


def _problem(spool: Spool, workers: ProcessPool[DecodeTask, DecodedClip], config: FeatureConfig) -> OSError | None:
    """Returns why a worker cannot read a clip of the spool, or None if it can.

    Raises:
        EnvironmentUnusable: the folder cannot be written.
        Overloaded: its disk is full.
    """
    with spool.open() as clip:
        try:
            clip.path.write_bytes(trial_clip(config))
            workers.submit(DecodeTask(clip.path)).result()
        except OSError as error:
            if error.errno in FULL_DISK:
                raise storage_error(error) from error
            return error
    return None
