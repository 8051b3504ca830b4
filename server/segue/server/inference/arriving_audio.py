"""Buffer of an upload that is still arriving."""

from __future__ import annotations

from collections.abc import AsyncIterator

from segue.core.audio.limits import MAX_UPLOAD_BYTES
from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import AudioTooLong, MalformedRequest, Overloaded
from segue.server.inference.decode_task import StreamRange
from segue.server.inference.engine import Engine, WindowPrediction

# Hardly any encoding holds a window in fewer bytes.
_FIRST_TRY_BYTES = 8 * 2**10
# The samples after its end that a window needs.
_SPARE_SECONDS = 0.1


class ArrivingAudio:
    """The bytes of one stream, and the number of its windows that were predicted."""

    def __init__(self, engine: Engine, form: PcmForm | None) -> None:
        """Creates an empty buffer.

        Args:
            engine: predicts the windows.
            form: sample format of raw PCM, or None for the bytes of a file.
        """
        self._engine = engine
        self._form = form
        self._bytes = bytearray(wav_header(form, None) if form else b"")
        self._header_bytes = len(self._bytes)
        self._windows = 0
        self._next_try_bytes = _FIRST_TRY_BYTES

    def append(self, chunk: bytes) -> None:
        """Appends the next bytes.

        Raises:
            AudioTooLong: the stream has more than 16 MiB.
        """
        size = len(self._bytes) - self._header_bytes + len(chunk)
        if size > MAX_UPLOAD_BYTES:
            raise AudioTooLong(
                f"The stream has more than {MAX_UPLOAD_BYTES:,} bytes, which is the limit. End it sooner.",
                limit_bytes=MAX_UPLOAD_BYTES,
            )
        self._bytes += chunk

    async def new_windows(self, seconds_left: float | None, *, ended: bool = False) -> AsyncIterator[WindowPrediction]:
        """Predicts the windows that have become complete since the last call.

        Args:
            seconds_left: seconds until the caller's deadline, or None without one.
            ended: True if no more bytes will come.

        Raises:
            Overloaded: the queue is full and the stream has ended; before its end the windows come later instead.
        """
        max_windows = self._engine.model.manifest.windows
        while ended or len(self._bytes) >= self._next_try_bytes:
            stream_range = StreamRange(self._windows, ended)
            try:
                partial = await self._engine.analyze_partial(bytes(self._bytes), stream_range, seconds_left)
            except Overloaded:
                if ended:
                    raise
                self._next_try_bytes = len(self._bytes) + _FIRST_TRY_BYTES
                return
            self._windows += len(partial.predictions)
            self._next_try_bytes = self._bytes_for_next_window(partial.seconds)
            for prediction in partial.predictions:
                yield prediction
            if len(partial.predictions) < max_windows:
                return

    def complete_file(self) -> bytes:
        """Returns the whole clip as the bytes of a file.

        Raises:
            MalformedRequest: no byte has arrived.
        """
        if len(self._bytes) == self._header_bytes:
            raise MalformedRequest("chunk", "The stream has no chunk. Send the bytes of a clip after the config.")
        if self._form is None:
            return bytes(self._bytes)
        samples = self._bytes[self._header_bytes :]
        return wav_header(self._form, len(samples)) + samples

    def _bytes_for_next_window(self, seconds: float) -> int:
        """Estimates the number of bytes that hold one more window, where ``seconds`` can be decoded now."""
        size = len(self._bytes)
        if not seconds:
            return 2 * size
        needed = (self._windows + 1) * self._engine.model.manifest.features.window_seconds + _SPARE_SECONDS
        return max(size + 1, int(size * needed / seconds))
