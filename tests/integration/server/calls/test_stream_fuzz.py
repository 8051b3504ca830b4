"""Streams of any parts in any order: each ends by a result or a typed status, and the next call is answered."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc
import pytest
import soundfile
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.testing.synthetic_clips import render_clip
from segue.v1.audio_pb2 import SAMPLE_ENCODING_INT16, Audio, PcmFormat
from segue.v1.classification_service_pb2 import StreamingClassifyConfig as Config
from segue.v1.classification_service_pb2 import StreamingClassifyRequest, StreamingClassifyResponse
from segue.v1.recommendation_service_pb2 import (
    RecommendRequest,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)
from tests.helpers.clips import wav
from tests.helpers.stubs import Stubs, failure

SEQUENCES = 120
AUDIO = {"AUDIO_UNDECODABLE", "AUDIO_TOO_SHORT", "AUDIO_SILENT"}
REASONS = {"MALFORMED_REQUEST", *AUDIO}
# What no server says, but the caller's own gRPC where the caller has had enough.
LEFT = {"CANCELLED", "DEADLINE_EXCEEDED"}


class Sequence(NamedTuple):
    """What a caller does: the bytes of its messages, and how it ends.

    Attributes:
        messages: each as it is on the wire.
        stays: whether it keeps its side open until the server has ended the call.
        timeout: seconds.
        reads: how many answers it takes before it cancels, or None for all.
    """

    messages: list[bytes]
    stays: bool
    timeout: float
    reads: int | None


Components = Callable[[random.Random], list[bytes]]


def sequence(rng: random.Random, parts: Components) -> Sequence:
    """Any parts, with a few broken, doubled, lost or out of their place, from a caller who may leave."""
    messages = parts(rng)
    for _ in range(rng.choice((0, 0, 1, 3))):
        place = rng.randrange(len(messages) + 1)
        rng.choice((_lose, _double, _swap, _garble, _empty))(messages, place, rng)
    leaves = rng.random()
    timeout = rng.choice((0.002, 0.02, 0.05)) if leaves < 0.15 else 60.0
    reads = rng.randrange(3) if leaves > 0.85 else None
    # Whoever stays is answered only when the server ends the call, which it does at a mistake, or not for 30 s.
    return Sequence(messages, timeout < 1 and rng.random() < 0.5, timeout, reads)


def _lose(messages: list[bytes], place: int, _rng: random.Random) -> None:
    del messages[place : place + 1]


def _double(messages: list[bytes], place: int, _rng: random.Random) -> None:
    messages[place:place] = messages[:1]


def _swap(messages: list[bytes], _place: int, rng: random.Random) -> None:
    rng.shuffle(messages)


def _garble(messages: list[bytes], place: int, rng: random.Random) -> None:
    messages.insert(place, rng.randbytes(rng.randint(1, 40)))


def _empty(messages: list[bytes], place: int, _rng: random.Random) -> None:
    messages.insert(place, b"")


def classifying(rng: random.Random) -> list[bytes]:
    """A configuration that may be odd, and a piece, a part of one, or noise, in chunks of any size."""
    config = Config(top_k=rng.choice((None, 1, 3, 100, 10**6, 0, -1) if rng.random() < 0.3 else (3,)))
    if rng.random() < 0.1:
        config.read_mask.CopyFrom(FieldMask(paths=rng.choice((["*"], ["timeline"], ["scores.genre"], ["", "x"]))))
    if rng.random() < 0.3:
        rate, channels = rng.choice(((22_050, 1), (8_000, 2), (0, 0), (-1, 9), (4_000, 8)))
        form = PcmFormat(sample_rate=rate, channels=channels, sample_encoding=SAMPLE_ENCODING_INT16)
        config.pcm.CopyFrom(form)
    content = rng.choice((wav(3.5), FLAC, FLAC, FLAC[: rng.randrange(len(FLAC))], rng.randbytes(5_000), bytes(200_000)))
    size = rng.choice((len(content), 20_000, 3_000))
    # A few of a single byte, and what is behind them in one.
    cuts = sorted({0, *(range(rng.randint(0, 60))), *range(0, len(content), size)})
    chunks = [content[start:stop] for start, stop in zip(cuts, [*cuts[1:], len(content)], strict=True)]
    parts = [StreamingClassifyRequest(config=config), *(StreamingClassifyRequest(chunk=chunk) for chunk in chunks)]
    return [part.SerializeToString() for part in parts]


def flac() -> bytes:
    """A clip of two windows."""
    file = io.BytesIO()
    soundfile.write(file, render_clip(2, 6.5), 22_050, format="FLAC")
    return file.getvalue()


FLAC = flac()


def recommending(rng: random.Random, ids: list[str]) -> list[bytes]:
    """Up to ten items with seeds of every kind and none."""
    seeds = [
        RecommendRequest(track_id=ids[0], limit=2),
        RecommendRequest(track_id="\0 no such track \n" * rng.randint(1, 500)),
        RecommendRequest(track_id=""),
        RecommendRequest(),
        RecommendRequest(audio=Audio(content=FLAC), limit=rng.choice((1, 0, -5, 10**9))),
        RecommendRequest(audio=Audio(content=rng.randbytes(1_000))),
        RecommendRequest(audio=Audio()),
        RecommendRequest(track_id=ids[1], read_mask=FieldMask(paths=["nothing.of.this"])),
    ]
    names = ("", "a", "é\n\0", "x" * 128, "x" * 129, "y" * 10_000)
    chosen = rng.choices(seeds, k=rng.randint(0, 10))
    parts = [StreamingRecommendRequest(item_id=rng.choice(names), request=seed) for seed in chosen]
    return [part.SerializeToString() for part in parts]


def played(stubs: Stubs, method: str, doing: Sequence) -> tuple[str, list[bytes]]:
    """How a sequence ended, OK or a reason or LEFT, and the answers that came."""
    over = threading.Event()

    def send() -> Iterator[bytes]:
        yield from doing.messages
        if doing.stays:
            over.wait(60)

    opening: Any = stubs.channel.stream_stream
    call = opening(f"/segue.v1.{method}")(send(), timeout=doing.timeout)
    answers: list[bytes] = []
    try:
        for answer in call:
            answers.append(answer)
            if len(answers) == doing.reads:
                call.cancel()
    except grpc.RpcError as error:
        return _reason(error, doing), answers
    else:
        return "OK", answers
    finally:
        over.set()


def _reason(error: grpc.RpcError, doing: Sequence) -> str:
    assert isinstance(error, grpc.Call)
    code = error.code().name
    typed = "grpc-status-details-bin" in {key for key, _ in error.trailing_metadata() or ()}
    if code in LEFT and not typed:
        assert doing.reads is not None or doing.timeout < 1
        return code
    return failure(pytest.ExceptionInfo.from_exception(error))[1]


def test_any_streams_of_a_piece(stubs: Stubs) -> None:
    """What comes of a stream of audio in any order is windows and one result, or a reason of the caller's."""
    rng = random.Random(1)
    ends: list[str] = []
    for _ in range(SEQUENCES):
        end, answers = played(stubs, "ClassificationService/StreamingClassify", sequence(rng, classifying))
        kinds = [StreamingClassifyResponse.FromString(answer).WhichOneof("answer") for answer in answers]
        assert ["window"] * len(kinds[:-1]) == kinds[:-1]
        assert end in {"OK", *REASONS, *LEFT}
        assert ("OK" == end) == (kinds[-1:] == ["result"]) or end in LEFT
        ends.append(end)
    assert {"OK", "MALFORMED_REQUEST", "AUDIO_UNDECODABLE", *LEFT} <= set(ends)
    assert stubs.classify(FLAC).scores


def test_any_streams_of_seeds(stubs: Stubs, ids: list[str]) -> None:
    """Every item of a stream in any order is answered once, well or by a status, and other items not by its mistake."""
    rng = random.Random(2)
    ends: list[str] = []
    for _ in range(SEQUENCES):
        doing = sequence(rng, lambda rng: recommending(rng, ids))
        end, answers = played(stubs, "RecommendationService/StreamingRecommend", doing)
        outcomes = [StreamingRecommendResponse.FromString(answer).WhichOneof("outcome") for answer in answers]
        assert set(outcomes) <= {"response", "status"}
        assert end in {"OK", "MALFORMED_REQUEST", *LEFT}
        assert len(outcomes) == len(doing.messages) or end != "OK"
        ends.append(end)
    assert {"OK", "MALFORMED_REQUEST", *LEFT} <= set(ends)
    assert 2 == len(stubs.recommend(ids[0], limit=2).recommendations)
