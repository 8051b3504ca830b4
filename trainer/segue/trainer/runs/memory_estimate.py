"""Estimates the memory of a run, and refuses a run that does not fit before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.core.features.config import FeatureConfig
from segue.core.features.windows import spread_starts
from segue.core.quantities import quantity
from segue.trainer.data.front_end import FRONT_END, windows_in_clip
from segue.trainer.errors import TooLarge

_FLOAT_BYTES = 4
# TensorFlow, librosa and scikit-learn without any data.
_PROGRAM_BYTES = 900 * 2**20
# A batch of about a hundred windows of 3 s with its gradients, in the largest of the networks.
_BATCH_BYTES = 500 * 2**20
# Windows are cut, selected, measured, and cut again into chunks or shuffled: 2.0 GB at the peak for 640 clips by
# chunks, as measured.
_COPIES = 4


def estimate_bytes(columns: Sequence[int], config: FeatureConfig) -> int:
    """Estimates the peak memory of a run, in bytes.

    Args:
        columns: number of columns of each training and validation clip.
        config: the front end.
    """
    most = windows_in_clip(config.columns)
    windows = sum(len(spread_starts(max(config.columns, count), config.columns, most)) for count in columns)
    cells = config.n_mels * (sum(columns) + _COPIES * windows * config.columns)
    batch = _BATCH_BYTES * config.columns // FRONT_END.columns
    return _PROGRAM_BYTES + batch + cells * _FLOAT_BYTES


def available_bytes() -> int | None:
    """Returns the memory that this process can still use in bytes, or None where the system does not report it."""
    reported = (_system_bytes(Path("/proc/meminfo")), _container_bytes(Path("/sys/fs/cgroup")))
    return min((value for value in reported if value is not None), default=None)


def check_memory(columns: Sequence[int], config: FeatureConfig, available: int | None) -> None:
    """Checks that a run fits in memory.

    Args:
        columns: number of columns of each training and validation clip.
        config: the front end.
        available: memory that can be used in bytes, or None where it is unknown.

    Raises:
        TooLarge: the run needs more memory.
    """
    needed = estimate_bytes(columns, config)
    if available is not None and needed > available:
        raise TooLarge(
            f"Training on {quantity(len(columns), 'clip')} needs about {needed / 2**30:.1f} GiB of memory, and "
            f"{available / 2**30:.1f} GiB are available. Use fewer clips, or a machine with more memory."
        )


def _system_bytes(path: Path) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _container_bytes(path: Path) -> int | None:
    try:
        limit, used = ((path / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return int(limit) - int(used) if limit.isdigit() else None
