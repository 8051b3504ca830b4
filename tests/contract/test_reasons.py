"""The client has an exception for each reason of the server, although neither imports the other."""

from __future__ import annotations

import grpc
import pytest

from segue.client import SegueError as ClientError
from segue.client import ServerError
from segue.client._error_mapping import from_rpc_error
from segue.core import errors
from segue.server.rpc.error_status import to_status


def client_error(error: Exception) -> ClientError:
    """Maps an error of the server to a status, and the status to an error of the client."""
    code, status = to_status(error, "request-1")
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    failure = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, status.message, "")
    return from_rpc_error(failure, address="host:1", timeout=1)


def create(kind: type[errors.SegueError]) -> errors.SegueError:
    """Creates an error of a kind."""
    return kind("field", "text") if kind is errors.MalformedRequest else kind("text")


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SegueError)]
# A kind without a reason of its own only groups others.
PUBLIC_KINDS: list[type[errors.SegueError]] = [
    kind for kind in KINDS if "reason" in vars(kind) and to_status(create(kind), "")[0].name != "INTERNAL"
]


def test_public_errors() -> None:
    """The errors that reach callers are found, so that the tests below check some."""
    some: set[type[errors.SegueError]] = {errors.AudioSilent, errors.Overloaded, errors.TrackNotFound}
    assert some < set(PUBLIC_KINDS)


@pytest.mark.parametrize("kind", PUBLIC_KINDS)
def test_client_has_each_reason(kind: type[errors.SegueError]) -> None:
    """Every error that reaches callers has an exception of the client with the same reason."""
    error = client_error(create(kind))
    assert (kind.reason, kind.reason) == (vars(type(error)).get("reason"), error.reason)


def test_exceptions_are_distinct() -> None:
    """Every error that reaches callers has a class of its own."""
    assert len(PUBLIC_KINDS) == len({type(client_error(create(kind))) for kind in PUBLIC_KINDS})


@pytest.mark.parametrize("error", [ValueError("text"), errors.ArtifactDamaged("text")])
def test_internal_errors(error: Exception) -> None:
    """Any other error of the server is a ServerError."""
    raised = client_error(error)
    assert (ServerError, "INTERNAL") == (type(raised), raised.reason)
