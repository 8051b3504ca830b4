"""Every method of the contract has a handler, client methods and a test; the descriptors list the methods."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from segue.client import AsyncClient, Client
from segue.server.rpc.services.catalog import CatalogService
from segue.server.rpc.services.classification import ClassificationService
from segue.server.rpc.services.feedback import FeedbackService
from segue.server.rpc.services.playlists import PlaylistService
from segue.server.rpc.services.recommendation import RecommendationService
from segue.v1 import (
    catalog_service_pb2,
    classification_service_pb2,
    feedback_service_pb2,
    recommendation_service_pb2,
)

ROOT = Path(__file__).parents[2]
SERVICES: list[ServiceDescriptor] = [
    classification_service_pb2.DESCRIPTOR.services_by_name["ClassificationService"],
    recommendation_service_pb2.DESCRIPTOR.services_by_name["RecommendationService"],
    recommendation_service_pb2.DESCRIPTOR.services_by_name["PlaylistService"],
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"],
    feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"],
]
KINDS = (CatalogService, ClassificationService, FeedbackService, PlaylistService, RecommendationService)
HANDLERS = {service.__name__: service for service in KINDS}
METHODS = [pytest.param(method, id=method.name) for service in SERVICES for method in service.methods]
# The client's name for a method, if it is not the method's in snake case.
CLIENT_NAMES = {
    "Continue": "continue_list",
    "GetStatus": "status",
    "RecommendUpload": "recommend",
    "SearchTracks": "search",
}


def snake(name: str) -> str:
    """Converts a name to snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_handler(method: MethodDescriptor) -> None:
    """The server implements each method of the generated base class."""
    service = HANDLERS[method.containing_service.name]
    assert method.name in vars(service)
    handler = getattr(service, method.name)
    assert (inspect.isasyncgenfunction if method.server_streaming else inspect.iscoroutinefunction)(handler)


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_in_the_clients(method: MethodDescriptor, client: type) -> None:
    """Both clients have a documented method for each method of the contract."""
    assert getattr(client, CLIENT_NAMES.get(method.name, snake(method.name))).__doc__


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_tested(method: MethodDescriptor) -> None:
    """The server's tests call each method, through the attribute of `stubs` with its name."""
    names = ("calls", "choice", "feedback", "writes")
    folders = [ROOT / "tests" / "integration" / "server" / name for name in names]
    files = [file for folder in folders for file in folder.glob("test_*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    tests = [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    attributes = [node for test in tests for node in ast.walk(test) if isinstance(node, ast.Attribute)]
    called = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "stubs"}
    assert CLIENT_NAMES.get(method.name, snake(method.name)) in called


@pytest.mark.parametrize("method", METHODS)
def test_every_response_has_a_revision(method: MethodDescriptor) -> None:
    """Each response has the model and the catalogue revision; a response to one of several items has it inside."""
    fields = method.output_type.fields_by_name
    item = fields["response"].message_type if "response" in fields else None
    assert "revision" in (item.fields_by_name if item else fields)
