"""The parts that all measurements of a load test share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.core.model.artifact import Manifest
from tests.load.page import Page
from tests.load.servers import Memory, Redis

CLASSIFY = "segue.v1.ClassificationService.Classify"
RECOMMEND = "segue.v1.RecommendationService.Recommend"
TRACKS = 5_000


@dataclass(frozen=True)
class Bench:
    """A server under test and its surroundings.

    Attributes:
        page: collects the results.
        data: the server's data folder, which the files of requests are in as well.
        redis: the server's catalogue.
        manifest: that of the server's model.
        requests: files of Classify requests by the size of a clip, such as "1.3 MB".
        seconds: duration of a load.
        address: address of the server.
        memory: memory of the server's processes.
    """

    page: Page
    data: Path
    redis: Redis
    manifest: Manifest
    requests: dict[str, Path]
    seconds: float
    address: str
    memory: Memory
