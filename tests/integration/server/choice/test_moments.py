"""The moments of recommended tracks that match their seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.catalogue.records import Addition
from segue.core.catalogue.window_embeddings import unpack_windows
from segue.core.index.publishing import publish
from segue.core.model.trained_model import Model
from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import (
    Embedding,
    Moment,
    RecommendRequest,
    RecommendUploadConfig,
    RecommendUploadRequest,
    Seed,
    Variety,
)
from tests.helpers.audio import encode
from tests.helpers.clips import clip_addition
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, is_started

MASK = FieldMask(paths=["recommendations", "moments"])
TRACKS = 6
# The last track has no windows.
WITHOUT = TRACKS - 1


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips of different lengths."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"{number}.wav" for number in range(TRACKS)]
    for number, path in enumerate(paths):
        path.write_bytes(encode(render_clip(number, 9.5 + 3 * number), 22_050, subtype="FLOAT"))
    return paths


@pytest.fixture(scope="module")
def additions(loaded_tiny_model: Model, files: list[Path]) -> list[Addition]:
    """The additions of these clips to the catalogue."""
    return [clip_addition(loaded_tiny_model, file, keep_windows=number != WITHOUT) for number, file in enumerate(files)]


@pytest.fixture(scope="module")
def stubs(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, loaded_tiny_model: Model, additions: list[Addition]
) -> Iterator[Stubs]:
    """Calls to a server over the catalogue of these clips."""
    data = tmp_path_factory.mktemp("moments")
    with open_store(data) as store:
        with store.writer(*loaded_tiny_model.manifest.key) as writer:
            writer.add(additions)
        publish(data, store)
    with running_server("--data", str(data), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        wait_until(lambda: is_started(lambda: stubs.recommend(additions[0].track.track_id)))
        yield stubs


def id_of(additions: list[Addition], number: int) -> str:
    """The id of a track."""
    return additions[number].track.track_id


def seconds(moment: Moment) -> tuple[float, float]:
    """The starts of a pair of moments."""
    return moment.seed_start.ToTimedelta().total_seconds(), moment.start.ToTimedelta().total_seconds()


def test_moments_of_a_track(stubs: Stubs, additions: list[Addition]) -> None:
    """Each track has the pairs that a plain search over all windows finds, and a track without windows has none."""
    request = RecommendRequest(track_id=id_of(additions, 0), read_mask=MASK, variety=Variety(keep_copies=True))
    response = stubs.send_recommend(request)
    assert TRACKS - 1 == len(response.recommendations) == len(response.moments)
    assert not response.reasons
    by_id = {each.track.track_id: each for each in additions}
    seed = unpack_windows(additions[0].windows)
    for item, found in zip(response.recommendations, response.moments, strict=True):
        packed = by_id[item.track.track_id].windows
        if not packed:
            assert not found.moments
            continue
        track = unpack_windows(packed)
        cosines = seed.values @ track.values.T
        row, column = np.unravel_index(int(cosines.argmax()), cosines.shape)
        best = found.moments[0]
        assert 3 == len(found.moments)
        assert pytest.approx(float(cosines.max()), abs=1e-5) == best.similarity
        assert pytest.approx((seed.starts[row], track.starts[column]), abs=1e-6) == seconds(best)
        assert 3.0 == (best.end.ToTimedelta() - best.start.ToTimedelta()).total_seconds()
        assert 3.0 == (best.seed_end.ToTimedelta() - best.seed_start.ToTimedelta()).total_seconds()


def test_moments_of_a_clip(stubs: Stubs, additions: list[Addition], files: list[Path]) -> None:
    """A clip has the moments of its track, up to the rounding of windows that are kept; so has one in chunks."""
    content = files[0].read_bytes()
    by_id = stubs.send_recommend(RecommendRequest(track_id=id_of(additions, 0), read_mask=MASK)).moments
    by_clip = stubs.send_recommend(RecommendRequest(audio=Audio(content=content), read_mask=MASK)).moments
    config = RecommendUploadConfig(request=RecommendRequest(read_mask=MASK))
    upload = [RecommendUploadRequest(config=config), RecommendUploadRequest(chunk=content)]
    by_upload = stubs.recommend_upload(upload).response.moments
    assert len(by_id) == len(by_clip) == len(by_upload)
    for one, *others in zip(by_id, by_clip, by_upload, strict=True):
        for other in others:
            assert len(one.moments) == len(other.moments)
            expected = [moment.similarity for moment in one.moments]
            assert pytest.approx(expected, abs=0.01) == [moment.similarity for moment in other.moments]


def test_moments_of_several_seeds(stubs: Stubs, additions: list[Addition]) -> None:
    """The moments are those of the seed that the reason names; an embedding and a track without windows have none."""
    seeds = [Seed(track_id=id_of(additions, 1)), Seed(track_id=id_of(additions, 2), weight=-0.1)]
    mask = FieldMask(paths=["*"])
    response = stubs.send_recommend(RecommendRequest(seeds=seeds, read_mask=mask))
    assert [reason.seed for reason in response.reasons] == [each.seed for each in response.moments]
    assert {0} == {each.seed for each in response.moments}
    values = additions[3].embedding.tolist()
    nothing = [Seed(embedding=Embedding(values=values)), Seed(track_id=id_of(additions, WITHOUT))]
    for seed in nothing:
        response = stubs.send_recommend(RecommendRequest(seeds=[seed], read_mask=mask))
        assert response.recommendations
        assert {0} == {len(each.moments) for each in response.moments}


def test_only_on_request(stubs: Stubs, additions: list[Addition]) -> None:
    """Without the field in the mask there are no moments; with no recommendation there are none either."""
    assert not stubs.recommend(id_of(additions, 0)).moments
    assert not stubs.recommend(id_of(additions, 0), read_mask=["recommendations", "reasons"]).moments
    alone = stubs.recommend(id_of(additions, 0), read_mask=["moments"])
    assert (0, TRACKS - 1) == (len(alone.recommendations), len(alone.moments))
