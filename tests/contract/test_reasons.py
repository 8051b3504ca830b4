"""Server and client agree on what can go wrong, though neither knows the other's exceptions."""

from __future__ import annotations

import grpc
import pytest

from segue.client import SegueError as ClientError
from segue.client import ServerError
from segue.client._error_mapping import from_rpc_error
from segue.core import errors
from segue.server.interceptors.error_status import to_status


def told(error: Exception) -> ClientError:
    """What the client raises for what the server answers to an error."""
    code, status = to_status(error, "request-1")
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    failure = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, status.message, "")
    return from_rpc_error(failure, address="host:1", timeout=1)


def made(kind: type[errors.SegueError]) -> errors.SegueError:
    """An error of a kind."""
    return kind("field", "text") if kind is errors.MalformedRequest else kind("text")


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SegueError)]
# A kind without a reason of its own only holds others together.
TOLD = [kind for kind in KINDS if "reason" in vars(kind) and to_status(made(kind), "")[0].name != "INTERNAL"]


def test_there_are_errors_to_tell() -> None:
    """The tests below have something to go by."""
    assert {errors.AudioSilent, errors.Overloaded, errors.TrackNotFound} < set(TOLD)


@pytest.mark.parametrize("kind", TOLD)
def test_the_client_knows_each_reason(kind: type[errors.SegueError]) -> None:
    """Every error that the server tells is an exception of the client's whose own reason it is."""
    error = told(made(kind))
    assert (kind.reason, kind.reason) == (vars(type(error)).get("reason"), error.reason)


def test_no_two_errors_are_the_same_to_a_caller() -> None:
    """Each has a class of its own."""
    assert len(TOLD) == len({type(told(made(kind))) for kind in TOLD})


@pytest.mark.parametrize("error", [ValueError("text"), errors.ArtifactDamaged("text")])
def test_all_others_are_the_server_s(error: Exception) -> None:
    """What a caller can do nothing about is one class, whatever it was."""
    raised = told(error)
    assert (ServerError, "INTERNAL") == (type(raised), raised.reason)
