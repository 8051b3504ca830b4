"""The synchronous client."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress

from segue.client import _calls
from segue.client._audio import AudioSource, Clip, open_clip
from segue.client._calls import AnySeed
from segue.client._endpoint import MAX_TIMEOUT, Request, Response
from segue.client._spans import call_span
from segue.client._streaming import builders as _streams
from segue.client._streaming.builders import ItemResult, classified, recommended
from segue.client._streaming.calls import Stream
from segue.client._sync.catalog import CatalogMethods
from segue.client._sync.playlists import PlaylistMethods
from segue.client.errors import SegueError, TrackNotFoundError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.catalog_service_pb2 import UpsertTracksRequest
from segue.v1.classification_service_pb2 import ClassifyResponse, StreamingClassifyResponse
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendResponse, TrackFilter, Variety


class Client(CatalogMethods, PlaylistMethods):
    """Calls a Segue server over one channel, which any number of threads may share.

    Every method raises a subclass of SegueError when its call fails.

    Unary calls are retried up to three times, within the timeout, when the server or its store is unavailable (code
    UNAVAILABLE, or CANCELLED as a server stops). A call that an overloaded server refuses is sent again after the pause
    that the server names, then after longer ones, until the timeout; a shorter timeout gives up earlier. With
    `wait_for_ready`, so is a call to a server that is starting. Streams are not retried; but a clip above 16 MiB is
    sent again, whole, to a server that was overloaded or starting.

    Args:
        address: HOST:PORT of the server. Several servers are ipv4:HOST:PORT,HOST:PORT with IP addresses, or a name that
            resolves to all of them; the client uses one until it fails, then the next.
        timeout: time limit of a call in seconds, (0, 86400], retries included. Each page of a list is a call.
        wait_for_ready: True to wait, up to the timeout, for a server that is not there yet or is still starting; the
            logger `segue.client` says so.
        credentials: TLS and a token; None is plain text without a token.

    Raises:
        ValueError: the timeout is out of range, or the credentials cannot be used.
    """

    def classify(
        self, audio: AudioSource, *, top_k: int | None = None, read_mask: Iterable[str] | None = None
    ) -> ClassifyResponse:
        """Scores the genres of a clip, the best first.

        Args:
            audio: the bytes of a whole audio file, its path, or an open file or pipe. Above 16 MiB it is sent in
                chunks, and `timeout` grows by a second for each 256 KiB. A program must begin to write into a named
                pipe within `timeout`.
            top_k: number of genres to return, [1, 100]; None is the server's default (10).
            read_mask: fields of the response to return, such as ["scores", "timeline", "embedding", "tags"], or ["*"];
                None is the server's default (scores, quality_flags, missing_seconds and genre_unknown).
        """
        with closing(open_clip(audio, self._endpoint.timeout)) as clip:
            if clip.is_large:
                return self._classify_large(clip, top_k, read_mask)
            return self._send(_calls.classify(clip.head, top_k, read_mask))

    def streaming_classify(
        self,
        chunks: Iterable[bytes],
        *,
        pcm: PcmFormat | None = None,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> Iterator[StreamingClassifyResponse]:
        """Scores the genres of a clip while it arrives: of each 3 s window, and of the whole clip at the end.

        Args:
            chunks: consecutive parts of a file, of up to 16 MiB; each is sent at once.
            pcm: the format of the samples, if the chunks are raw samples and not a file.
            top_k: number of genres to return, as for `classify`.
            read_mask: fields of the result to return, as for `classify`.
            stream_timeout: time limit of the whole stream in seconds, (0, 86400].
        """
        return self._stream(_streams.streaming_classify(chunks, pcm, top_k, read_mask, stream_timeout))

    def batch_classify(
        self,
        clips: Iterable[AudioSource],
        *,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> Iterator[tuple[int, ClassifyResponse | SegueError]]:
        """Scores the genres of each of many clips, over one stream.

        Yields the number of each clip, from 0, with its genres as soon as they are known. A clip that fails has its
        error in their place, which is not raised, and does not stop the others. The errors of files that cannot be read
        or are too large come last.

        Args:
            clips: any number of clips, as for `classify`, of up to 16 MiB.
            top_k: number of genres to return for each clip, as for `classify`.
            read_mask: fields of the responses to return, as for `classify`.
            stream_timeout: time limit of the whole stream in seconds, (0, 86400].
        """
        stream, unsent = _streams.batch_classify(clips, top_k, read_mask, stream_timeout)
        return itertools.chain(map(classified, self._stream(stream)), unsent)

    def recommend(
        self,
        seed: AnySeed,
        *,
        limit: int | None = None,
        offset: int | None = None,
        read_mask: Iterable[str] | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
    ) -> RecommendResponse:
        """Finds the tracks that sound most similar to a seed, the most similar first.

        Args:
            seed: the id of a track, as a str; or a clip, as for `classify`; or a list of `segue.v1` Seed messages, each
                with a weight. A file above 16 MiB whose track is in the catalogue is not sent, and the response has no
                quality flags.
            limit: number of tracks to return, [1, 100]; None is the server's default (10).
            offset: number of the most similar tracks to skip, [0, 999], with limit at most 1000; None is 0.
            read_mask: fields of the response to return, such as ["recommendations", "embedding"], or ["*"]; None is the
                server's default (recommendations, quality_flags and missing_seconds).
            track_filter: the tracks that may be recommended; None is all.
            variety: how much the tracks differ; None is the server's default (at most two tracks by one artist).
        """
        request = _calls.recommend_request(limit, read_mask, offset, track_filter, variety)
        if isinstance(seed, (str, list, tuple)):
            return self._send(_calls.recommend(seed, request))
        with closing(open_clip(seed, self._endpoint.timeout)) as clip:
            if clip.is_large:
                return self._recommend_large(clip, request)
            return self._send(_calls.recommend(clip.head, request))

    def streaming_recommend(
        self,
        seeds: Iterable[AnySeed],
        *,
        limit: int | None = None,
        offset: int | None = None,
        read_mask: Iterable[str] | None = None,
        track_filter: TrackFilter | None = None,
        variety: Variety | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> Iterator[tuple[int, RecommendResponse | SegueError]]:
        """Finds the tracks that sound most similar to each of many seeds, over one stream.

        Yields the number of each seed, from 0, with its recommendations as soon as they are known. A seed that fails
        has its error in their place, which is not raised, and does not stop the others. The errors of files that cannot
        be read come last.

        Args:
            seeds: any number of seeds, as for `recommend`; clips of up to 16 MiB.
            limit: number of tracks to return for each seed, as for `recommend`.
            offset: number of the most similar tracks of each seed to skip, as for `recommend`.
            read_mask: fields of the responses to return, as for `recommend`.
            track_filter: the tracks that may be recommended, as for `recommend`.
            variety: how much the tracks differ, as for `recommend`.
            stream_timeout: time limit of the whole stream in seconds, (0, 86400].
        """
        request = _calls.recommend_request(limit, read_mask, offset, track_filter, variety)
        stream, unsent = _streams.streaming_recommend(seeds, request, stream_timeout)
        return itertools.chain(map(recommended, self._stream(stream)), unsent)

    def upsert_tracks(
        self, items: Iterable[UpsertTracksRequest], *, stream_timeout: float = MAX_TIMEOUT
    ) -> Iterator[ItemResult]:
        """Adds tracks, or gives them other audio or metadata, by their external ids, over one stream.

        Yields the external id of each item with its track as soon as it is written. An item that fails has its error
        in place of the track, which is not raised, and does not stop the others. To send the same item again changes
        nothing: after a lost connection, send all items without a result again.

        Args:
            items: any number of items, as `track_item` makes them.
            stream_timeout: time limit of the whole stream in seconds, (0, 86400].
        """
        return map(_streams.item_result, self._stream(_streams.upsert_tracks(items, stream_timeout)))

    def _classify_large(self, clip: Clip, top_k: int | None, read_mask: Iterable[str] | None) -> ClassifyResponse:
        fields = _calls.field_mask(read_mask)

        def send(seconds: float) -> ClassifyResponse:
            *_, last = self._stream(_streams.classify_upload(clip.chunks(), top_k, fields, seconds))
            return last.result

        return self._upload(clip, send)

    def _recommend_large(self, clip: Clip, request: RecommendRequest) -> RecommendResponse:
        if track_id := _streams.track_id_of(clip, request):
            with suppress(TrackNotFoundError):
                return self._send(_calls.recommend_track(request, track_id))

        def send(seconds: float) -> RecommendResponse:
            upload = _streams.recommend_upload(clip.chunks(), request, seconds)
            with call_span(upload.requests.kind) as trace, upload.typed_errors(self._endpoint):
                return upload.send(self._stubs, self._endpoint, trace).response

        return self._upload(clip, send)

    def _stream(self, stream: Stream[Request, Response]) -> Iterator[Response]:
        with call_span(stream.requests.kind) as trace, stream.typed_errors(self._endpoint):
            call = stream.open(self._stubs, self._endpoint, trace)
            try:
                yield from call
            finally:
                # Stops the sending when the caller stops reading.
                call.cancel()  # type: ignore[no-untyped-call] # grpc-stubs leaves its type out
