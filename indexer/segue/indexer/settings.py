"""What a run of the indexer is told. Every command asks for it, so nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the catalogue is, and what hears.

    Attributes:
        data: the folder where Segue keeps its state.
        redis_url: the Redis to use, or None for a private one in ``data``.
        model: the artifact's folder.
        jobs: how many files are examined at once, at least 1.
        file_seconds: how long one file may take.
        file_memory: how much memory one file may take, in MiB.
        nice: how far it steps back behind other programs, 0 to 19.
    """

    data: Path
    redis_url: str | None
    model: Path
    jobs: int
    file_seconds: float
    file_memory: int
    nice: int


@dataclass(frozen=True)
class OutputOptions:
    """How a run speaks, and what it puts up with.

    Attributes:
        as_json: the report is one document.
        quiet: it names nothing but what failed.
        allow_failures: so many files may fail.
    """

    as_json: bool
    quiet: bool
    allow_failures: int = 0
