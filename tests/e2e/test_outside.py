"""Clients that share only the contract with this project."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from tests.helpers.machine.commands import output_of
from tests.helpers.machine.go_tools import GRPCURL, GoToolMissingError, go_tool

ROOT = Path(__file__).parents[2]

# A client on generated stubs alone.
CLIENT = """
import sys, grpc
from segue.v1 import audio_pb2, classification_service_pb2 as messages, classification_service_pb2_grpc as service
with grpc.insecure_channel(sys.argv[1], [("grpc.max_send_message_length", 32 * 2**20)]) as channel:
    audio = audio_pb2.Audio(content=open(sys.argv[2], "rb").read())
    answer = service.ClassificationServiceStub(channel).Classify(messages.ClassifyRequest(audio=audio), timeout=60)
print(len(answer.scores), answer.revision.model_id)
"""


def test_fresh_stubs_in_an_empty_environment(server: str, clips: list[Path], tmp_path: Path) -> None:
    """Stubs generated from proto/ alone, in an environment without Segue, work against the server."""
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "venv" / "bin" / "python"
    if not uv.exists():
        pytest.skip("uv is not in this environment: scripts/test has it")
    output_of(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    output_of(uv, "pip", "install", "--quiet", "--python", python, "grpcio-tools")
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python")]
    output_of(python, "-m", "grpc_tools.protoc", f"--proto_path={ROOT / 'proto'}", *out, *protos)
    (tmp_path / "client.py").write_text(CLIENT)
    answer = output_of(python, tmp_path / "client.py", server, clips[0])
    assert answer.startswith("10 segue-accurate-")


@pytest.fixture(scope="module")
def grpcurl() -> Path:
    """The program grpcurl, which reads the contract by reflection."""
    try:
        return go_tool(GRPCURL)
    except GoToolMissingError as error:
        pytest.skip(str(error))


def test_grpcurl_lists_the_services(grpcurl: Path, server: str) -> None:
    """Reflection lists the services and health."""
    services = output_of(grpcurl, "-plaintext", server, "list").split()
    expected = {
        "ClassificationService",
        "RecommendationService",
        "PlaylistService",
        "CatalogService",
        "FeedbackService",
    }
    assert {f"segue.v1.{name}" for name in expected} <= set(services)
    assert "grpc.health.v1.Health" in services


def test_grpcurl_classifies(grpcurl: Path, server: str, clips: list[Path]) -> None:
    """Reflection suffices to classify a clip."""
    request = json.dumps({"audio": {"content": base64.b64encode(clips[0].read_bytes()).decode()}, "topK": 3})
    method = "segue.v1.ClassificationService/Classify"
    answer = json.loads(output_of(grpcurl, "-plaintext", "-d", "@", server, method, stdin=request))
    assert 3 == len(answer["scores"])
