"""Runs ghz, the load generator, and reads its report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from segue.v1 import classification_service_pb2, recommendation_service_pb2
from tests.helpers.machine.go_tools import GHZ, GoToolMissingError, go_tool


@dataclass(frozen=True)
class Load:
    """A load to put on a server.

    Attributes:
        call: the method, such as "segue.v1.ClassificationService.Classify".
        requests: a file with an array of requests in JSON, which are sent in turn.
        concurrency: concurrent calls of a closed loop, each on its own connection up to 8.
        rate: calls a second of an open loop, or None for a closed loop.
    """

    call: str
    requests: Path
    concurrency: int = 1
    rate: float | None = None


@dataclass(frozen=True)
class LoadResult:
    """The result of a load.

    Attributes:
        seconds: duration of the load.
        latencies: milliseconds of each call that succeeded.
        refusals: milliseconds of each call that ended with RESOURCE_EXHAUSTED.
        failures: number of calls by each other status.
    """

    seconds: float
    latencies: list[float]
    refusals: list[float]
    failures: dict[str, int]

    @property
    def rate(self) -> float:
        """Calls a second that succeeded."""
        return len(self.latencies) / self.seconds

    @property
    def failed(self) -> int:
        """Number of calls that neither succeeded nor were refused."""
        return sum(self.failures.values())

    def latency(self, percent: float) -> float:
        """Returns a percentile of the calls that succeeded, in milliseconds."""
        return float(np.percentile(self.latencies, percent)) if self.latencies else float("nan")

    def refusal_latency(self, percent: float) -> float:
        """Returns a percentile of the calls that were refused, in milliseconds, or 0 if there are none."""
        return float(np.percentile(self.refusals, percent)) if self.refusals else 0.0


def find_ghz() -> Path:
    """Returns the path of ghz, which Go builds if it is not there; otherwise ends the program with "ghz: not run"."""
    if path := shutil.which("ghz"):
        return Path(path)
    try:
        return go_tool(GHZ)
    except GoToolMissingError as error:
        sys.exit(f"ghz: not run: {error}; install Go, or ghz into .tools")


def start(address: str, load: Load, seconds: float) -> subprocess.Popen[str]:
    """Starts a load that lasts for some seconds; ``finish`` waits for it."""
    command = [
        *(str(find_ghz()), "--insecure", "--format=json", f"--call={load.call}"),
        *(f"--protoset={_write_contract(load.requests.parent)}", f"--data-file={load.requests}"),
        *(f"--duration={seconds:g}s", "--duration-stop=wait", "--timeout=60s"),
        *(["--async", f"--rps={load.rate:.0f}", "--concurrency=64", "--connections=8"] if load.rate else []),
        *([] if load.rate else [f"--concurrency={load.concurrency}", f"--connections={min(8, load.concurrency)}"]),
        address,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> LoadResult:
    """Waits for the end of a load and returns its result."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"ghz ended with {process.returncode}: {output[-500:]}")
    return _read_report(json.loads(output))


def run(address: str, load: Load, seconds: float) -> LoadResult:
    """Puts a load on a server for some seconds and returns its result."""
    return finish(start(address, load, seconds))


def _write_contract(folder: Path) -> Path:
    """Writes the contract as a file of descriptors: ghz's own parser of proto files rejects ``optional``."""
    path = folder / "contract.binpb"
    descriptors: dict[str, FileDescriptor] = {}
    for module in (classification_service_pb2, recommendation_service_pb2):
        _collect(module.DESCRIPTOR, descriptors)
    files = [FileDescriptorProto.FromString(file.serialized_pb) for file in descriptors.values()]
    path.write_bytes(FileDescriptorSet(file=files).SerializeToString())
    return path


def _collect(file: FileDescriptor, descriptors: dict[str, FileDescriptor]) -> None:
    """Adds the descriptors of a file's imports, then its own."""
    for dependency in file.dependencies:
        _collect(dependency, descriptors)
    descriptors.setdefault(file.name, file)


def _read_report(report: dict[str, Any]) -> LoadResult:
    latencies: dict[str, list[float]] = {"OK": [], "ResourceExhausted": []}
    for call in report.get("details") or []:
        latencies.setdefault(call["status"], []).append(call["latency"] / 1e6)
    succeeded, refused = latencies.pop("OK"), latencies.pop("ResourceExhausted")
    failures = {status: len(calls) for status, calls in latencies.items()}
    return LoadResult(report["total"] / 1e9, succeeded, refused, failures)
