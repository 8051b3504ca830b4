from __future__ import annotations

import pickle

import pytest
from google.rpc import error_details_pb2

from segue.core import errors
from segue.server.rpc.error_status import public_message, to_status

ALL = [
    errors.AudioUndecodable("Send a whole file."),
    errors.AudioTooShort("Send more."),
    errors.AudioTooLong("Send less."),
    errors.AudioSilent("Send it louder."),
    errors.MalformedRequest("limit", "limit is 0."),
    errors.TrackNotFound("abc"),
    errors.CatalogueEmpty("Index some music."),
    errors.CatalogueMismatch("Index the music again."),
    errors.Overloaded("Try again."),
    errors.StoreUnavailable("Start Redis."),
    errors.TokenMissing("Send one."),
    errors.TokenUnknown("Send another."),
    errors.TokenScope("Send one with the scope."),
    errors.Starting("Try again."),
    errors.StreamStalled("Send more."),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.reason)
def test_every_error_has_one_error_info(error: errors.SegueError) -> None:
    """A status has exactly one ErrorInfo, with the reason and the request id, and the message of the error."""
    code, status = to_status(error, "id-1")
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    assert 1 == len(infos)
    assert (error.reason, "segue.v1", "id-1") == (info.reason, info.domain, info.metadata["request_id"])
    assert (code.value[0], public_message(error)) == (status.code, status.message)


def test_figures_are_in_the_metadata() -> None:
    """The figures of a message are in the metadata by name, also for an error from another process."""
    error = pickle.loads(pickle.dumps(errors.AudioTooShort("It lasts 0.5 s.", least_seconds=3.0, actual_seconds=0.5)))  # noqa: S301 - our own bytes
    _, status = to_status(error, "id-1")
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert {"request_id": "id-1", "least_seconds": "3", "actual_seconds": "0.5"} == dict(info.metadata)
    assert "It lasts 0.5 s." == status.message


def test_the_address_of_the_store_is_not_sent() -> None:
    """A caller learns that Redis does not answer, but not its address."""
    _, status = to_status(errors.StoreUnavailable("The Redis at secret:6379 does not answer."), "id-3")
    assert "secret" not in str(status)


@pytest.mark.parametrize(
    "error",
    [ValueError("secret /path"), errors.ArtifactDamaged("secret /path"), errors.EmbeddingUnusable("secret /path")],
)
def test_nothing_internal_is_sent(error: Exception) -> None:
    """An error that is not meant for callers is INTERNAL with a fixed text and the request id."""
    code, status = to_status(error, "id-2")
    assert "INTERNAL" == code.name
    assert "id-2" in status.message
    assert "secret" not in str(status)
