"""Settings of a command. Every command imports this module, so it imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.core.model.engine import EngineChoice


@dataclass(frozen=True)
class CatalogueSettings:
    """Location of the catalogue.

    Attributes:
        data: Segue's data folder.
        redis_url: URL of the Redis that holds the catalogue, or None for the private one in ``data``.
    """

    data: Path
    redis_url: str | None


@dataclass(frozen=True)
class Settings(CatalogueSettings):
    """Settings of a command that decodes audio and predicts.

    Attributes:
        model: folder of the artifact, or None for the model that built the catalogue, else the default one.
        engine: engine that runs the network.
        jobs: number of files that are decoded at once, at least 1.
        file_seconds: time limit for decoding one file, in seconds.
        file_memory: memory limit for decoding one file, in MiB.
        nice: niceness that the run adds to its own, 0 to 19.
        keep_windows: keep the embeddings of the windows of new tracks, for matching moments.
    """

    model: Path | None
    engine: EngineChoice
    jobs: int
    file_seconds: float
    file_memory: int
    nice: int
    keep_windows: bool = False


@dataclass(frozen=True)
class OutputOptions:
    """Form of a command's output, and the failures that it accepts.

    Attributes:
        as_json: print one JSON document.
        quiet: print only failures.
        allow_failures: number of failed files up to which the exit code is 0; None for any number, unless all failed.
    """

    as_json: bool = False
    quiet: bool = False
    allow_failures: int | None = None
