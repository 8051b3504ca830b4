"""Both Python clients write to a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from segue.client import (
    AsyncClient,
    AudioUndecodableError,
    AudioUnreadableError,
    Client,
    MalformedRequestError,
    TrackNotFoundError,
    WritesDisabledError,
    track_item,
)
from segue.v1.catalog_service_pb2 import UPSERT_CHANGE_ADDED, TrackEmbedding, UpsertedTrack
from tests.helpers.clips import wav
from tests.helpers.server.servers import RunningServer, running_server


def test_the_client(server: RunningServer, tmp_path: Path) -> None:
    """Items of files, bytes and embeddings are added, changed and deleted; one that fails has its error."""
    file = tmp_path / "clip.wav"
    file.write_bytes(wav(4.0))
    with Client(server.address) as client:
        vector = client.classify(wav(5.0), read_mask=["embedding"])
        embedding = TrackEmbedding(values=vector.embedding, model_id=vector.revision.model_id)
        items = [
            track_item("file", file, title="One", attributes={"bpm": 120, "live": False, "lists": ["a", "b"]}),
            track_item("vector", embedding=embedding),
            track_item("noise", b"noise"),
        ]
        results = dict(client.upsert_tracks(items))
        assert isinstance(results["file"], UpsertedTrack)
        assert isinstance(results["vector"], UpsertedTrack)
        assert isinstance(results["noise"], AudioUndecodableError)
        assert UPSERT_CHANGE_ADDED == results["file"].change
        track = client.update_track("external:file", artist="X")
        assert ("One", "X") == (track.title, track.artist)
        assert {"bpm": 120.0, "live": False, "lists": ["a", "b"]} == MessageToDict(track.attributes)
        assert ("", {}) == (
            client.update_track("external:file", artist="", attributes={}).artist,
            MessageToDict(client.get_track("external:file").attributes),
        )
        assert ["none"] == list(client.delete_tracks(["external:file", "none"]).missing_track_ids)
        with pytest.raises(TrackNotFoundError):
            client.update_track("external:file", title="Two")


async def test_the_client_for_asyncio(server: RunningServer) -> None:
    """It does what the other one does."""
    async with AsyncClient(server.address) as client:
        results = {key: result async for key, result in client.upsert_tracks([track_item("a", wav(4.0), title="One")])}
        assert isinstance(results["a"], UpsertedTrack)
        assert "Two" == (await client.update_track("external:a", title="Two")).title
        with pytest.raises(MalformedRequestError):
            await client.update_track("external:a")
        assert [] == list((await client.delete_tracks(["external:a"])).missing_track_ids)


def test_items_that_cannot_be_sent(tmp_path: Path) -> None:
    """They fail before anything is sent."""
    with pytest.raises(AudioUnreadableError):
        track_item("a", tmp_path / "none.wav")
    with pytest.raises(ValueError, match="not both"):
        track_item("a", b"RIFF", embedding=TrackEmbedding())
    with pytest.raises(ValueError, match="Unexpected type"):
        track_item("a", attributes={"a": object()})  # type: ignore[dict-item]
    with Client() as client, pytest.raises(TypeError, match="list of ids"):
        client.delete_tracks("external:a")


def test_a_server_that_only_reads(tmp_path: Path, tiny_model: Path) -> None:
    """Each write has the error of its reason."""
    options = ("--data", str(tmp_path / "data"), "--model", str(tiny_model))
    with running_server(*options) as running, Client(running.address) as client:
        with pytest.raises(WritesDisabledError, match="--allow-writes"):
            client.update_track("external:a", title="x")
        with pytest.raises(WritesDisabledError):
            list(client.upsert_tracks([track_item("a")]))
