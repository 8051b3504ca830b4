"""Streams of random messages: each ends with a result or a typed status, and the next call succeeds."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc
import soundfile
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.testing.synthetic_clips import render_clip
from segue.v1.audio_pb2 import SAMPLE_ENCODING_INT16, Audio, PcmFormat
from segue.v1.classification_service_pb2 import (
    BatchClassifyRequest,
    BatchClassifyResponse,
    ClassifyRequest,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from segue.v1.classification_service_pb2 import StreamingClassifyConfig as Config
from segue.v1.recommendation_service_pb2 import (
    RecommendRequest,
    StreamingRecommendRequest,
    StreamingRecommendResponse,
)
from tests.helpers.clips import wav
from tests.helpers.server.stubs import Stubs, reason_of

SEQUENCES = 120
AUDIO_REASONS = {"AUDIO_UNDECODABLE", "AUDIO_TOO_SHORT", "AUDIO_SILENT"}
REASONS = {"MALFORMED_REQUEST", *AUDIO_REASONS}
# The caller's own gRPC ends a call with these if the caller cancels or its deadline passes.
CALLER_CODES = {"CANCELLED", "DEADLINE_EXCEEDED"}


class Sequence(NamedTuple):
    """The behaviour of a caller.

    Attributes:
        messages: the bytes of each message.
        stays: True to keep the stream open until the server has ended the call.
        timeout: deadline in seconds.
        reads: number of responses that the caller reads before it cancels, or None for all.
    """

    messages: list[bytes]
    stays: bool
    timeout: float
    reads: int | None


MessageSource = Callable[[random.Random], list[bytes]]


def sequence(rng: random.Random, source: MessageSource) -> Sequence:
    """Some messages, a few of them broken, doubled, lost or in the wrong place, of a caller who may leave."""
    messages = source(rng)
    for _ in range(rng.choice((0, 0, 1, 3))):
        place = rng.randrange(len(messages) + 1)
        rng.choice((_lose, _double, _swap, _garble, _empty))(messages, place, rng)
    leaves = rng.random()
    timeout = rng.choice((0.002, 0.02, 0.05)) if leaves < 0.15 else 60.0
    reads = rng.randrange(3) if leaves > 0.85 else None
    # The server ends the call of a caller who stays at an error, or only after 30 s: so those have a short deadline.
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
    """A config that may be invalid, and a clip, a part of one, or noise, in chunks of any size."""
    config = Config(top_k=rng.choice((None, 1, 3, 100, 10**6, 0, -1) if rng.random() < 0.3 else (3,)))
    if rng.random() < 0.1:
        config.read_mask.CopyFrom(FieldMask(paths=rng.choice((["*"], ["timeline"], ["scores.genre"], ["", "x"]))))
    if rng.random() < 0.3:
        rate, channels = rng.choice(((22_050, 1), (8_000, 2), (0, 0), (-1, 9), (4_000, 8)))
        form = PcmFormat(sample_rate=rate, channels=channels, sample_encoding=SAMPLE_ENCODING_INT16)
        config.pcm.CopyFrom(form)
    content = rng.choice((wav(3.5), FLAC, FLAC, FLAC[: rng.randrange(len(FLAC))], rng.randbytes(5_000), bytes(200_000)))
    size = rng.choice((len(content), 20_000, 3_000))
    # A few chunks have a single byte.
    cuts = sorted({0, *(range(rng.randint(0, 60))), *range(0, len(content), size)})
    chunks = [content[start:stop] for start, stop in zip(cuts, [*cuts[1:], len(content)], strict=True)]
    messages = [StreamingClassifyRequest(config=config), *(StreamingClassifyRequest(chunk=chunk) for chunk in chunks)]
    return [message.SerializeToString() for message in messages]


def flac() -> bytes:
    """A clip of two windows."""
    file = io.BytesIO()
    soundfile.write(file, render_clip(2, 6.5), 22_050, format="FLAC")
    return file.getvalue()


FLAC = flac()


def recommending(rng: random.Random, ids: list[str]) -> list[bytes]:
    """Up to ten items with seeds of every kind, or without one."""
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
    messages = [StreamingRecommendRequest(item_id=rng.choice(names), request=seed) for seed in chosen]
    return [message.SerializeToString() for message in messages]


def classifying_many(rng: random.Random) -> list[bytes]:
    """Up to ten clips of every kind, or requests without one."""
    requests = [
        ClassifyRequest(audio=Audio(content=FLAC), top_k=rng.choice((1, 0, -5, 10**9))),
        ClassifyRequest(audio=Audio(content=wav(3.5))),
        ClassifyRequest(audio=Audio(content=rng.randbytes(1_000))),
        ClassifyRequest(audio=Audio()),
        ClassifyRequest(),
        ClassifyRequest(audio=Audio(content=FLAC), read_mask=FieldMask(paths=["nothing.of.this"])),
    ]
    names = ("", "a", "é\n\0", "x" * 128, "x" * 129, "y" * 10_000)
    chosen = rng.choices(requests, k=rng.randint(0, 10))
    messages = [BatchClassifyRequest(item_id=rng.choice(names), request=request) for request in chosen]
    return [message.SerializeToString() for message in messages]


def play(stubs: Stubs, method: str, sequence: Sequence) -> tuple[str, list[bytes]]:
    """The end of a stream, which is OK, a reason or one of CALLER_CODES, and its responses."""
    over = threading.Event()

    def send() -> Iterator[bytes]:
        yield from sequence.messages
        if sequence.stays:
            over.wait(60)

    opening: Any = stubs.channel.stream_stream
    call = opening(f"/segue.v1.{method}")(send(), timeout=sequence.timeout)
    responses: list[bytes] = []
    try:
        for response in call:
            responses.append(response)
            if len(responses) == sequence.reads:
                call.cancel()
    except grpc.RpcError as error:
        return _reason(error, sequence), responses
    else:
        return "OK", responses
    finally:
        over.set()


def _reason(error: grpc.RpcError, sequence: Sequence) -> str:
    assert isinstance(error, grpc.Call)
    code = error.code().name
    typed = "grpc-status-details-bin" in {key for key, _ in error.trailing_metadata() or ()}
    if code in CALLER_CODES and not typed:
        assert sequence.reads is not None or sequence.timeout < 1
        return code
    return reason_of(error)


def test_random_clips(stubs: Stubs) -> None:
    """A random stream of audio yields windows and one result, or ends with an error of the caller."""
    rng = random.Random(1)
    ends: list[str] = []
    for _ in range(SEQUENCES):
        end, responses = play(stubs, "ClassificationService/StreamingClassify", sequence(rng, classifying))
        kinds = [StreamingClassifyResponse.FromString(response).WhichOneof("answer") for response in responses]
        assert ["window"] * len(kinds[:-1]) == kinds[:-1]
        assert end in {"OK", *REASONS, *CALLER_CODES}
        assert ("OK" == end) == (kinds[-1:] == ["result"]) or end in CALLER_CODES
        ends.append(end)
    assert {"OK", "MALFORMED_REQUEST", "AUDIO_UNDECODABLE", *CALLER_CODES} <= set(ends)
    assert stubs.classify(FLAC).scores


def test_random_seeds(stubs: Stubs, ids: list[str]) -> None:
    """Each item of a random stream has one response or one status, whatever the other items are."""
    rng = random.Random(2)
    ends: list[str] = []
    for _ in range(SEQUENCES):
        random_items = sequence(rng, lambda rng: recommending(rng, ids))
        end, responses = play(stubs, "RecommendationService/StreamingRecommend", random_items)
        outcomes = [StreamingRecommendResponse.FromString(response).WhichOneof("outcome") for response in responses]
        assert set(outcomes) <= {"response", "status"}
        assert end in {"OK", "MALFORMED_REQUEST", *CALLER_CODES}
        assert len(outcomes) == len(random_items.messages) or end != "OK"
        ends.append(end)
    assert {"OK", "MALFORMED_REQUEST", *CALLER_CODES} <= set(ends)
    assert 2 == len(stubs.recommend(ids[0], limit=2).recommendations)


def test_random_batches(stubs: Stubs) -> None:
    """Each clip of a random stream has one response or one status, whatever the other clips are."""
    rng = random.Random(3)
    ends: list[str] = []
    for _ in range(SEQUENCES):
        random_items = sequence(rng, classifying_many)
        end, responses = play(stubs, "ClassificationService/BatchClassify", random_items)
        outcomes = [BatchClassifyResponse.FromString(response).WhichOneof("outcome") for response in responses]
        assert set(outcomes) <= {"response", "status"}
        assert end in {"OK", "MALFORMED_REQUEST", *CALLER_CODES}
        assert len(outcomes) == len(random_items.messages) or end != "OK"
        ends.append(end)
    assert {"OK", "MALFORMED_REQUEST", *CALLER_CODES} <= set(ends)
    assert stubs.classify(FLAC).scores
