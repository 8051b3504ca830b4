"""Whether a run fits in memory, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.core.features.config import FeatureConfig
from segue.core.features.windows import spread_starts
from segue.trainer.errors import TooLarge

_FLOAT = 4
# TensorFlow, librosa and scikit-learn with nothing in them.
_PROGRAMS = 900 * 2**20
# What a batch of about a hundred windows and its gradients take in the largest of the networks.
_BATCH = 500 * 2**20
# Windows are cut once, picked from that, measured, and cut again into chunks or shuffled: 2.0 GB at the highest for
# 640 clips by chunks, measured.
_COPIES = 4


def estimate_bytes(columns: Sequence[int], config: FeatureConfig, most: int) -> int:
    """Bytes that a run takes at its highest.

    Args:
        columns: of each clip that is learnt from or judged by.
        config: the front end.
        most: the most windows of a clip.
    """
    windows = sum(len(spread_starts(max(config.columns, held), config.columns, most)) for held in columns)
    cells = config.n_mels * (sum(columns) + _COPIES * windows * config.columns)
    return _PROGRAMS + _BATCH + cells * _FLOAT


def available_bytes() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    found = [_meminfo(Path("/proc/meminfo")), _container(Path("/sys/fs/cgroup"))]
    known = [value for value in found if value is not None]
    return min(known) if known else None


def check_memory(columns: Sequence[int], config: FeatureConfig, most: int, room: int | None) -> None:
    """Refuses a run that would not fit.

    Args:
        columns: of each clip that is learnt from or judged by.
        config: the front end.
        most: the most windows of a clip.
        room: bytes that may be taken, or None where nobody knows.

    Raises:
        TooLarge: it takes more than there is.
    """
    needed = estimate_bytes(columns, config, most)
    if room is not None and needed > room:
        raise TooLarge(
            f"Training on {len(columns):,} clips takes about {needed / 2**30:.1f} GiB of memory, and "
            f"{room / 2**30:.1f} GiB are free. Give it fewer clips, or a machine with more."
        )


def _meminfo(path: Path) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _container(path: Path) -> int | None:
    try:
        most, used = ((path / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return int(most) - int(used) if most.isdigit() else None
