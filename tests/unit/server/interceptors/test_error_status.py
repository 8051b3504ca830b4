from __future__ import annotations

import pickle
from typing import Any

import pytest
from google.rpc import error_details_pb2

from segue.core import errors
from segue.server.interceptors.error_status import request_id
from segue.server.rpc.error_status import public_message, to_status

ALL = [
    errors.AudioUndecodable("Send a whole file."),
    errors.AudioTooShort("Send more."),
    errors.AudioTooLong("Send less."),
    errors.AudioSilent("Send it louder."),
    errors.MalformedRequest("limit", "limit is 0."),
    errors.TrackNotFound("abc"),
    errors.CatalogueEmpty("Index something."),
    errors.CatalogueMismatch("Index anew."),
    errors.Overloaded("Try again."),
    errors.StoreUnavailable("Start Redis."),
    errors.TokenMissing("Send one."),
    errors.TokenUnknown("Send another."),
    errors.TokenScope("Send one for this."),
    errors.Starting("Try again."),
    errors.StreamStalled("Send more."),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.reason)
def test_every_error_has_one_error_info(error: errors.SegueError) -> None:
    """The reason travels in exactly one ErrorInfo, with the sentence and the request id."""
    code, status = to_status(error, "id-1")
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    assert 1 == len(infos)
    assert (error.reason, "segue.v1", "id-1") == (info.reason, info.domain, info.metadata["request_id"])
    assert (code.value[0], public_message(error)) == (status.code, status.message)


def test_the_figures_of_a_message_are_for_programs_too() -> None:
    """What a sentence says in figures stands in the metadata by name, also of an error that another process raised."""
    error = pickle.loads(pickle.dumps(errors.AudioTooShort("It lasts 0.5 s.", least_seconds=3.0, actual_seconds=0.5)))  # noqa: S301 - our own bytes
    _, status = to_status(error, "id-1")
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert {"request_id": "id-1", "least_seconds": "3", "actual_seconds": "0.5"} == dict(info.metadata)
    assert "It lasts 0.5 s." == status.message


def test_the_address_of_the_store_stays_here() -> None:
    """A caller learns that Redis is away, and not where it is."""
    _, status = to_status(errors.StoreUnavailable("The Redis at secret:6379 does not answer."), "id-3")
    assert "secret" not in str(status)


@pytest.mark.parametrize(
    "error",
    [ValueError("secret /path"), errors.ArtifactDamaged("secret /path"), errors.EmbeddingUnusable("secret /path")],
)
def test_nothing_internal_leaks(error: Exception) -> None:
    """What Segue did not mean to tell a caller is INTERNAL with a fixed text and the request id."""
    code, status = to_status(error, "id-2")
    assert "INTERNAL" == code.name
    assert "id-2" in status.message
    assert "secret" not in str(status)


class Called:
    """A call with a request id of the caller's own."""

    def __init__(self, brought: str) -> None:
        self._brought = brought

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What the caller sent."""
        return (("x-request-id", self._brought),)


@pytest.mark.parametrize(
    ("brought", "kept"),
    [
        ("mine-4.2:a_b", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("two words", False),
        ("a\nb", False),
        ("é", False),
        ("\u0661", False),
    ],
)
def test_a_sensible_request_id_is_kept(brought: str, kept: bool) -> None:
    """What gRPC could not send back, or a log not hold in a word, is replaced; else the status would reach nobody."""
    context: Any = Called(brought)
    assert kept == (brought == request_id(context))
