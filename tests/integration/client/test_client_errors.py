from __future__ import annotations

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from segue import client
from segue.client import OverloadedError, SegueError
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import CallMethod, Peer

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNREADY = grpc.StatusCode.FAILED_PRECONDITION
REASONS: list[tuple[str, grpc.StatusCode, type[SegueError]]] = [
    ("AUDIO_UNDECODABLE", INVALID, client.AudioUndecodableError),
    ("AUDIO_TOO_SHORT", INVALID, client.AudioTooShortError),
    ("AUDIO_TOO_LONG", INVALID, client.AudioTooLongError),
    ("AUDIO_SILENT", INVALID, client.AudioSilentError),
    ("MALFORMED_REQUEST", INVALID, client.MalformedRequestError),
    ("TRACK_NOT_FOUND", grpc.StatusCode.NOT_FOUND, client.TrackNotFoundError),
    ("CATALOGUE_EMPTY", UNREADY, client.CatalogueEmptyError),
    ("CATALOGUE_MISMATCH", UNREADY, client.CatalogueMismatchError),
    ("OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED, client.OverloadedError),
    ("STORE_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE, client.StoreUnavailableError),
    ("INTERNAL", grpc.StatusCode.INTERNAL, client.ServerError),
    ("OF_A_LATER_VERSION", grpc.StatusCode.DATA_LOSS, client.ServerError),
]


@pytest.mark.parametrize(("reason", "code", "kind"), REASONS)
async def test_reasons(
    call: CallMethod, peer: Peer, reason: str, code: grpc.StatusCode, kind: type[SegueError]
) -> None:
    """Every reason of the contract has an exception of its own, with the server's message and metadata."""
    peer.behaviours += [fails(code, "C'est ça.", info(reason, track_id="7"), x_request_id="r-1")] * 4
    with pytest.raises(SegueError) as raised:
        await call(peer.address, "status")
    error = raised.value
    assert (kind, reason, code) == (type(error), error.reason, error.code)
    assert ("C'est ça.", {"track_id": "7"}, "r-1") == (error.message, error.metadata, error.request_id)
    assert (None, None) == (error.field, error.retry_after)
    assert isinstance(error.__cause__, grpc.RpcError)


async def test_field_at_fault(call: CallMethod, peer: Peer) -> None:
    """The error of a malformed request names the field."""
    violation = BadRequest.FieldViolation(field="top_k", description="It is 0.")
    peer.behaviours.append(
        fails(INVALID, "top_k is 0.", info("MALFORMED_REQUEST"), BadRequest(field_violations=[violation]))
    )
    with pytest.raises(client.MalformedRequestError) as raised:
        await call(peer.address, "classify", b"RIFF", top_k=0)
    assert "top_k" == raised.value.field


async def test_retry_after(call: CallMethod, peer: Peer) -> None:
    """The error of an overloaded server has the time to wait; it is raised if that is longer than the time limit."""
    wait = RetryInfo(retry_delay=Duration(seconds=1_000, nanos=500_000_000))
    peer.behaviours.append(fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "Busy.", info("OVERLOADED"), wait))
    with pytest.raises(OverloadedError) as raised:
        await call(peer.address, "status")
    assert (1_000.5, 1) == (raised.value.retry_after, len(peer.received))


async def test_next_call_works(call: CallMethod, peer: Peer) -> None:
    """A call succeeds after a failed one."""
    peer.behaviours.append(fails(INVALID, "Silent.", info("AUDIO_SILENT")))
    with pytest.raises(client.AudioSilentError):
        await call(peer.address, "classify", b"RIFF")
    assert 2 == len((await call(peer.address, "classify", b"RIFF")).scores)


async def test_error_within_a_listing(call: CallMethod, peer: Peer) -> None:
    """A page that fails ends the listing with its error."""
    peer.behaviours += [lambda _: None, fails(INVALID, "No such page.", info("MALFORMED_REQUEST"))]
    with pytest.raises(client.MalformedRequestError, match=r"No such page\."):
        await call(peer.address, "list_tracks", page_size=2)
