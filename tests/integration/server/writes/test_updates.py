"""Changes of the metadata of known tracks, and deletions."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

from segue.v1.catalog_service_pb2 import OwnMetadata, UpdateTrackRequest
from tests.helpers.server.stubs import Stubs, failure
from tests.integration.server.writes.items import attributes, clip, upserted


def test_parts(stubs: Stubs) -> None:
    """Without a mask the parts that are set change, and with one those that it names."""
    track_id = upserted(stubs, clip("a", title="One", artist="X", attributes=attributes(bpm=120)))[
        "a"
    ].response.track_id
    set_parts = UpdateTrackRequest(track_id="external:a", metadata=OwnMetadata(title="Two"))
    track = stubs.update_track(set_parts).track
    assert (track_id, "Two", "X", {"bpm": 120.0}) == (
        track.track_id,
        track.title,
        track.artist,
        MessageToDict(track.attributes),
    )
    named = UpdateTrackRequest(
        track_id=track_id, metadata=OwnMetadata(title="Three"), update_mask=FieldMask(paths=["artist", "attributes"])
    )
    track = stubs.update_track(named).track
    assert ("Two", "", {}) == (track.title, track.artist, MessageToDict(track.attributes))
    assert track == stubs.get_track("external:a").track
    assert track == stubs.update_track(named).track


BAD = {
    "unknown": (UpdateTrackRequest(track_id="external:b", metadata=OwnMetadata(title="x")), "TRACK_NOT_FOUND"),
    "unknown id": (UpdateTrackRequest(track_id="0" * 32, metadata=OwnMetadata(title="x")), "TRACK_NOT_FOUND"),
    "no id": (UpdateTrackRequest(metadata=OwnMetadata(title="x")), "MALFORMED_REQUEST"),
    "nothing": (UpdateTrackRequest(track_id="external:a"), "MALFORMED_REQUEST"),
    "mask": (UpdateTrackRequest(track_id="external:a", update_mask=FieldMask(paths=["year"])), "MALFORMED_REQUEST"),
    "long": (UpdateTrackRequest(track_id="external:a", metadata=OwnMetadata(title="x" * 1_025)), "MALFORMED_REQUEST"),
    "control": (UpdateTrackRequest(track_id="external:a", metadata=OwnMetadata(album="\0")), "MALFORMED_REQUEST"),
    "value": (
        UpdateTrackRequest(track_id="external:a", metadata=OwnMetadata(attributes=ParseDict({"a": [[1]]}, Struct()))),
        "MALFORMED_REQUEST",
    ),
}


def test_wrong_updates(stubs: Stubs) -> None:
    """Each is refused by its reason, and changes nothing."""
    upserted(stubs, clip("a", title="One"))
    before = stubs.get_track("external:a").track
    for name, (request, reason) in BAD.items():
        with pytest.raises(grpc.RpcError) as call:
            stubs.update_track(request)
        assert reason == failure(call)[1], name
    assert before == stubs.get_track("external:a").track


def test_deletions(stubs: Stubs) -> None:
    """Unknown ids are named, also when all are unknown and when the same ids are sent again."""
    ids = {key: response.response.track_id for key, response in upserted(stubs, clip("a", 4.0), clip("b", 5.0)).items()}
    response = stubs.delete_tracks(ids["a"], "external:none", "0" * 32, ids["a"], "external:b")
    assert ["external:none", "0" * 32] == [*response.missing_track_ids]
    assert response.revision.catalogue_revision >= 4
    again = stubs.delete_tracks(ids["a"], "external:b")
    assert [ids["a"], "external:b"] == [*again.missing_track_ids]
    assert [ids["a"], ids["b"]] == [*stubs.batch_get_tracks([ids["a"], ids["b"]]).missing_track_ids]


@pytest.mark.parametrize("ids", [[], [""], ["external:a"] * 1_001], ids=["none", "empty", "too many"])
def test_wrong_deletions(stubs: Stubs, ids: list[str]) -> None:
    """They are refused by their field."""
    with pytest.raises(grpc.RpcError) as call:
        stubs.delete_tracks(*ids)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(call)[:2]
