"""The bytes of an upload that is still arriving."""

from __future__ import annotations

from collections.abc import AsyncIterator

from segue.core.audio.decode import MAX_UPLOAD_BYTES
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import AudioTooLong, MalformedRequest, Overloaded
from segue.server.inference.decode_worker import StreamRange
from segue.server.inference.engine import Engine, WindowPrediction

# Less is a window of hardly any encoding.
_FIRST_TRY_BYTES = 8 * 2**10
# The neighbours that a window needs behind its end.
_SPARE_SECONDS = 0.1


class ArrivingAudio:
    """The bytes of one stream, and how many of its windows have been heard."""

    def __init__(self, engine: Engine, form: PcmForm | None) -> None:
        """Takes what hears it, and how its samples are written, or None for the bytes of a file."""
        self._engine = engine
        self._form = form
        self._bytes = bytearray(wav_header(form, None) if form else b"")
        self._header_bytes = len(self._bytes)
        self._windows = 0
        self._due = _FIRST_TRY_BYTES

    def take(self, chunk: bytes) -> None:
        """Adds the next bytes.

        Raises:
            AudioTooLong: there are more than 16 MiB altogether.
        """
        taken = len(self._bytes) - self._header_bytes + len(chunk)
        if taken > MAX_UPLOAD_BYTES:
            raise AudioTooLong(
                f"The stream has more than the {MAX_UPLOAD_BYTES:,} bytes that are taken. End it sooner.",
                limit_bytes=MAX_UPLOAD_BYTES,
            )
        self._bytes += chunk

    async def windows(self, seconds_left: float | None, *, ended: bool = False) -> AsyncIterator[WindowPrediction]:
        """The windows that have come to be complete since the last time.

        Args:
            seconds_left: how long anybody waits for them, or None where that is not known.
            ended: whether no more bytes will come.

        Raises:
            Overloaded: the stream has ended, and too many pieces are waiting already; before the end it is put off.
        """
        most = self._engine.model.manifest.windows
        while ended or len(self._bytes) >= self._due:
            try:
                arrived = await self._engine.analyze_partial(
                    bytes(self._bytes), StreamRange(self._windows, ended), seconds_left
                )
            except Overloaded:
                if ended:
                    raise
                self._due = len(self._bytes) + _FIRST_TRY_BYTES
                return
            self._windows += len(arrived.predictions)
            self._due = self._next_due(arrived.seconds)
            for preview in arrived.predictions:
                yield preview
            if len(arrived.predictions) < most:
                return

    def whole(self) -> bytes:
        """The whole piece as the bytes of a file.

        Raises:
            MalformedRequest: nothing has come.
        """
        if len(self._bytes) == self._header_bytes:
            raise MalformedRequest("chunk", "No chunk came. Send the bytes of a piece of music behind the config.")
        if self._form is None:
            return bytes(self._bytes)
        samples = self._bytes[self._header_bytes :]
        return wav_header(self._form, len(samples)) + samples

    def _next_due(self, seconds: float) -> int:
        """How many bytes will hold one window more, when so many hold ``seconds``."""
        there = len(self._bytes)
        if not seconds:
            return 2 * there
        needed = (self._windows + 1) * self._engine.model.manifest.features.window_seconds + _SPARE_SECONDS
        return max(there + 1, int(there * needed / seconds))
