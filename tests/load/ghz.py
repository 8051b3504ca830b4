"""Runs ghz, the load generator, and reads what it measured."""

from __future__ import annotations

import json
import os
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

ROOT = Path(__file__).parents[2]
_MODULE = "github.com/bojand/ghz/cmd/ghz@v0.93.0"


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        call: the method, such as "segue.v1.ClassificationService.Classify".
        messages: a file with an array of requests in JSON, which are sent in turn.
        concurrency: how many calls are under way in a closed loop, each on its own connection up to 8.
        rate: calls a second of an open loop, or None for a closed one.
    """

    call: str
    messages: Path
    concurrency: int = 1
    rate: float | None = None


@dataclass(frozen=True)
class Measured:
    """What came of a load.

    Attributes:
        seconds: how long it lasted.
        latencies: milliseconds of the calls that were answered well.
        refused: milliseconds of the calls that were answered RESOURCE_EXHAUSTED.
        failed: how many calls ended with each other status.
    """

    seconds: float
    latencies: list[float]
    refused: list[float]
    failed: dict[str, int]

    @property
    def rate(self) -> float:
        """Calls answered well, a second."""
        return len(self.latencies) / self.seconds

    def latency(self, percent: float) -> float:
        """A percentile of the calls that were answered well, milliseconds."""
        return float(np.percentile(self.latencies, percent)) if self.latencies else float("nan")

    def refusal(self, percent: float) -> float:
        """A percentile of the calls that were refused, milliseconds."""
        return float(np.percentile(self.refused, percent)) if self.refused else 0.0


def find_ghz() -> Path:
    """Where ghz is. Go builds it where it is not; without Go that is the end, with the words "ghz: not run"."""
    tools = ROOT / ".tools"
    found = shutil.which("ghz", path=f"{tools}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None and shutil.which("go"):
        subprocess.run(["go", "install", _MODULE], env=os.environ | {"GOBIN": str(tools)}, check=False)  # noqa: S607 - the PATH's own
        found = shutil.which("ghz", path=tools)
    if found is None:
        sys.exit(f"ghz: not run, for it is not here; install Go, then: GOBIN=$PWD/.tools go install {_MODULE}")
    return Path(found)


def begin(address: str, load: Load, seconds: float) -> subprocess.Popen[str]:
    """Starts a load that lasts for some seconds; ``end`` waits for it."""
    command = [
        *(str(find_ghz()), "--insecure", "--format=json", f"--call={load.call}"),
        *(f"--protoset={_contract(load.messages.parent)}", f"--data-file={load.messages}"),
        *(f"--duration={seconds:g}s", "--duration-stop=wait", "--timeout=60s"),
        *(["--async", f"--rps={load.rate:.0f}", "--concurrency=64", "--connections=8"] if load.rate else []),
        *([] if load.rate else [f"--concurrency={load.concurrency}", f"--connections={min(8, load.concurrency)}"]),
        address,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _contract(folder: Path) -> Path:
    """The contract as a file of descriptors: ghz's own reader of proto files does not know ``optional``."""
    path = folder / "contract.binpb"
    found: dict[str, FileDescriptor] = {}
    for module in (classification_service_pb2, recommendation_service_pb2):
        _gather(module.DESCRIPTOR, found)
    files = [FileDescriptorProto.FromString(file.serialized_pb) for file in found.values()]
    path.write_bytes(FileDescriptorSet(file=files).SerializeToString())
    return path


def _gather(file: FileDescriptor, found: dict[str, FileDescriptor]) -> None:
    """Adds a file behind all that it needs."""
    for needed in file.dependencies:
        _gather(needed, found)
    found.setdefault(file.name, file)


def end(process: subprocess.Popen[str]) -> Measured:
    """Waits for a load and reads what it measured."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"ghz ended with {process.returncode}: {output[-500:]}")
    return _read(json.loads(output))


def send(address: str, load: Load, seconds: float) -> Measured:
    """Sends a load for some seconds."""
    return end(begin(address, load, seconds))


def _read(report: dict[str, Any]) -> Measured:
    latencies: dict[str, list[float]] = {"OK": [], "ResourceExhausted": []}
    for call in report.get("details") or []:
        latencies.setdefault(call["status"], []).append(call["latency"] / 1e6)
    well, refused = latencies.pop("OK"), latencies.pop("ResourceExhausted")
    failed = {status: len(calls) for status, calls in latencies.items()}
    return Measured(report["total"] / 1e9, well, refused, failed)
