"""Everything that the contract promises is there: walked from the descriptors, so that a new call is not forgotten."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from segue.client import AsyncClient, Client
from segue.server.rpc import servicers
from segue.v1 import catalog_service_pb2, classification_service_pb2, recommendation_service_pb2

ROOT = Path(__file__).parents[2]
SERVICES: list[ServiceDescriptor] = [
    classification_service_pb2.DESCRIPTOR.services_by_name["ClassificationService"],
    recommendation_service_pb2.DESCRIPTOR.services_by_name["RecommendationService"],
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"],
]
METHODS = [pytest.param(method, id=method.name) for service in SERVICES for method in service.methods]
# The client drops what its own name says already.
CLIENT_NAMES = {"GetStatus": "status"}


def snake(name: str) -> str:
    """GetTrack is get_track."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("method", METHODS)
def test_every_call_has_a_handler(method: MethodDescriptor) -> None:
    """The server overrides each call of the generated base class."""
    service = getattr(servicers, method.containing_service.name)
    assert method.name in vars(service)
    handler = getattr(service, method.name)
    assert (inspect.isasyncgenfunction if method.server_streaming else inspect.iscoroutinefunction)(handler)


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("method", METHODS)
def test_every_call_has_a_client_method(method: MethodDescriptor, client: type) -> None:
    """Both clients have a documented method for each call."""
    assert getattr(client, CLIENT_NAMES.get(method.name, snake(method.name))).__doc__


@pytest.mark.parametrize("method", METHODS)
def test_every_call_is_tested(method: MethodDescriptor) -> None:
    """A test of the server makes each call, by the helper of the test's own stubs that is named after it."""
    files = (ROOT / "tests" / "integration" / "server" / "calls").glob("test_*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    tests = [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    attributes = [node for test in tests for node in ast.walk(test) if isinstance(node, ast.Attribute)]
    made = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "stubs"}
    assert CLIENT_NAMES.get(method.name, snake(method.name)) in made


@pytest.mark.parametrize("method", METHODS)
def test_every_answer_names_what_produced_it(method: MethodDescriptor) -> None:
    """Each answer carries the model and the revision of the catalogue, one of many in the answer to each of them."""
    fields = method.output_type.fields_by_name
    one = fields["response"].message_type if "response" in fields else None
    assert "revision" in (one.fields_by_name if one else fields)
