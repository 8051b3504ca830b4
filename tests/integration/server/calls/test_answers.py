"""The optional fields of responses, and read masks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

from segue.core.features.extract import extract
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.v1.audio_pb2 import QUALITY_FLAG_LOW_RATE, QUALITY_FLAG_SHORT, QUALITY_FLAG_TRUNCATED
from tests.helpers.clips import clip_addition, wav
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure


def filled(message: Message) -> set[str]:
    """The names of the fields that are set."""
    return {field.name for field, _ in message.ListFields()}


CLASSIFY_MASKS = [
    ((), {"scores", "quality_flags", "revision"}),
    (("embedding",), {"embedding", "revision"}),
    (("scores", "timeline"), {"scores", "timeline", "revision"}),
    (("*",), {"scores", "quality_flags", "timeline", "embedding", "revision"}),
]


@pytest.mark.parametrize(("mask", "fields"), CLASSIFY_MASKS)
def test_the_mask_of_classify(stubs: Stubs, mask: tuple[str, ...], fields: set[str]) -> None:
    """A response has the requested fields, the default ones without a mask, and always its revision."""
    assert fields == filled(stubs.classify(wav(6, rate=16_000), read_mask=mask))


@pytest.mark.parametrize("mask", [("loudness",), ("scores", "timeline.scores"), ("",)])
def test_an_unknown_path(stubs: Stubs, ids: list[str], mask: tuple[str, ...]) -> None:
    """The error for an unknown path names the mask, and comes before the audio is decoded."""
    for call in (lambda: stubs.classify(b"no audio", read_mask=mask), lambda: stubs.recommend(ids[0], read_mask=mask)):
        with pytest.raises(grpc.RpcError) as error:
            call()
        code, reason, details = failure(error)
        assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == (code, reason)
        violations = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
        assert ["read_mask"] == [violation.field for violation in violations]


def test_quality_flags(stubs: Stubs) -> None:
    """A response has a flag for each problem of the sound quality."""
    flags = stubs.classify(wav(4, rate=16_000)).quality_flags
    assert [QUALITY_FLAG_SHORT, QUALITY_FLAG_LOW_RATE] == list(flags)


def test_missing_seconds(stubs: Stubs) -> None:
    """A response says how many seconds of a clip could not be decoded, of those that its header declares."""
    whole = wav(12)
    cut = whole[: len(whole) * 2 // 3]
    for response in (stubs.classify(cut), stubs.recommend(cut)):
        assert pytest.approx(4, abs=0.01) == response.missing_seconds
        assert [QUALITY_FLAG_TRUNCATED] == list(response.quality_flags)
    assert 0 == stubs.classify(whole).missing_seconds
    assert 0 == stubs.classify(cut, read_mask=["scores"]).missing_seconds


def test_the_figures_of_an_error(stubs: Stubs) -> None:
    """The limit and the actual value are in the metadata of the error."""
    figures = {}
    for content in (wav(0.5), bytes(17 * 2**20)):
        with pytest.raises(grpc.RpcError) as error:
            stubs.classify(content)
        _, reason, details = failure(error)
        figures[reason] = dict(details["ErrorInfo"].metadata)  # type: ignore[attr-defined] # an ErrorInfo
    assert ("3", "0.5") == (figures["AUDIO_TOO_SHORT"]["least_seconds"], figures["AUDIO_TOO_SHORT"]["actual_seconds"])
    assert str(2**24) == figures["AUDIO_TOO_LONG"]["limit_bytes"]
    assert str(17 * 2**20) == figures["AUDIO_TOO_LONG"]["actual_bytes"]


def test_the_timeline(stubs: Stubs, clips: list[Path], loaded_tiny_model: Model) -> None:
    """The timeline has the windows of the model with their times and their scores."""
    manifest = loaded_tiny_model.manifest
    windows = extract(clips[0], manifest.features, manifest.windows).windows
    (prediction,) = loaded_tiny_model.predict([windows])
    timeline = stubs.classify(clips[0].read_bytes(), top_k=3, read_mask=["timeline"]).timeline
    starts = [window.start.ToMilliseconds() / 1000 for window in timeline]
    assert pytest.approx(windows.starts.tolist(), abs=0.001) == starts
    assert {3.0} == {round((w.end.ToMilliseconds() - w.start.ToMilliseconds()) / 1000, 3) for w in timeline}
    best = [manifest.labels[index] for index in prediction.window_posterior.argmax(axis=1)]
    assert best == [window.scores[0].genre for window in timeline]
    assert {3} == {len(window.scores) for window in timeline}


@pytest.fixture(scope="module")
def tagging_stubs(tmp_path_factory: pytest.TempPathFactory, clips: list[Path], tagging_model: Path) -> Iterator[Stubs]:
    """Calls to a server over three clips, whose model tags."""
    data, model = tmp_path_factory.mktemp("tagged"), load_model(tagging_model)
    with open_store(data) as store, store.writer(*model.manifest.key) as writer:
        writer.add([clip_addition(model, clip) for clip in clips[:3]])
    with running_server("--data", str(data), "--model", str(tagging_model)) as running:
        yield Stubs(running.address)


def test_tags(tagging_stubs: Stubs, clips: list[Path], tagging_model: Path) -> None:
    """The response has every tag of the model with the mean score of the windows, the best first, if requested."""
    model, audio = load_model(tagging_model), clips[0].read_bytes()
    windows = extract(clips[0], model.manifest.features, model.manifest.windows).windows
    scores = model.encode(windows.values).mean(0)[:20]
    best_first = [model.manifest.tags[index] for index in np.argsort(-scores)]

    tags = tagging_stubs.classify(audio, read_mask=["tags"]).tags
    assert best_first == [tag.tag for tag in tags]
    np.testing.assert_allclose([tag.score for tag in tags], -np.sort(-scores), atol=1e-5)
    assert "tags" not in filled(tagging_stubs.classify(audio))
    assert "tags" in filled(tagging_stubs.classify(audio, read_mask=["*"]))


def test_an_unknown_genre(
    ids: list[str], data: Path, clips: list[Path], tiny_model: Path, tmp_path: Path, stubs: Stubs
) -> None:
    """A clip whose novelty is above the limit of the model is flagged, by default; the others are not."""
    assert ids
    model, audio = load_model(tiny_model), [clip.read_bytes() for clip in clips[:4]]
    windows = [extract(clip, model.manifest.features, model.manifest.windows).windows for clip in clips[:4]]
    novelty = [float(model.encode(clip.values).mean(0)[0]) for clip in windows]
    limit = float(np.median(novelty))
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    write_manifest(folder, replace(read_manifest(folder), novelty_limit=limit))
    with running_server("--data", str(data), "--model", str(folder)) as running:
        answers = [Stubs(running.address).classify(clip).genre_unknown for clip in audio]
    assert [value > limit for value in novelty] == answers
    assert [False] * 4 == [stubs.classify(clip).genre_unknown for clip in audio]


def test_tags_of_tracks(tagging_stubs: Stubs, ids: list[str], clips: list[Path]) -> None:
    """A track has the ten best tags of its clip, wherever it is returned."""
    tags = tagging_stubs.classify(clips[1].read_bytes(), read_mask=["tags"]).tags
    scores = {tag.tag: tag.score for tag in tags}
    (found,) = tagging_stubs.batch_get_tracks([ids[1]]).tracks
    recommended = [item.track for item in tagging_stubs.recommend(ids[0]).recommendations]

    # Scores in the catalogue are rounded, so that nearly equal tags may have another order.
    stored = [tag.score for tag in found.tags]
    np.testing.assert_allclose(stored, [scores[tag.tag] for tag in found.tags], atol=0.005)
    np.testing.assert_allclose(stored, [tag.score for tag in tags[:10]], atol=0.005)
    assert found in recommended
    assert found == tagging_stubs.get_track(ids[1]).track


def test_tags_of_a_model_that_does_not_tag(stubs: Stubs) -> None:
    """They can be requested, and there are none."""
    assert {"revision"} == filled(stubs.classify(wav(4), read_mask=["tags"]))


def test_the_embedding_is_that_of_the_catalogue(stubs: Stubs, ids: list[str], clips: list[Path], data: Path) -> None:
    """A clip, by itself or as a seed, and its track as a seed have the embedding that the indexer stored."""
    with open_store(data) as store:
        (stored,) = store.embeddings([ids[1]])
    assert stored is not None
    audio = clips[1].read_bytes()
    responses = (
        stubs.classify(audio, read_mask=["embedding"]),
        stubs.recommend(audio, read_mask=["embedding"]),
        stubs.recommend(ids[1], read_mask=["embedding"]),
    )
    for response in responses:
        np.testing.assert_allclose(response.embedding, stored, atol=1e-6)


def test_the_mask_of_recommend(stubs: Stubs, ids: list[str]) -> None:
    """Only a clip as a seed has quality flags and a timeline; without a mask a response has the default fields."""
    default = {"recommendations", "revision"}
    everything = default | {"embedding", "reasons", "moments"}
    assert default == filled(stubs.recommend(ids[0]))
    assert everything == filled(stubs.recommend(ids[0], read_mask=["*"]))
    assert everything | {"timeline", "quality_flags"} == filled(stubs.recommend(wav(4), read_mask=["*"]))
