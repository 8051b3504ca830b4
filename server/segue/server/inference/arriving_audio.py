"""A clip that is still arriving, and the predictions of its windows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from segue.core.audio.pcm import PcmForm, wav_header
from segue.core.errors import MalformedRequest, Overloaded
from segue.core.features.level import Loudness
from segue.server.inference.decode_task import StreamRange
from segue.server.inference.engine import Engine, WindowPrediction
from segue.server.inference.spool import SpooledClip

# Hardly any encoding holds a window in fewer bytes.
_FIRST_TRY_BYTES = 8 * 2**10
# The samples after its end that a window needs.
_SPARE_SECONDS = 0.1


class ArrivingAudio:
    """The clip of one stream, and the number of its windows that were predicted."""

    def __init__(self, engine: Engine, clip: SpooledClip, form: PcmForm | None) -> None:
        """Begins with the first byte.

        Args:
            engine: predicts the windows.
            clip: receives the bytes; it is empty.
            form: sample format of raw PCM, or None for the bytes of a file.
        """
        self._engine = engine
        self._clip = clip
        self._form = form
        self._header = wav_header(form, None) if form else b""
        self._windows = 0
        self._loudness = Loudness()
        self._next_try_bytes = _FIRST_TRY_BYTES

    async def append(self, chunk: bytes) -> None:
        """Appends the next bytes.

        Raises:
            AudioTooLong: the clip is larger than the limit of a stream.
            Overloaded: there is no space for it.
        """
        await self._clip.append(chunk, b"" if self._clip.size else self._header)

    async def new_windows(self, seconds_left: float | None, *, ended: bool = False) -> AsyncIterator[WindowPrediction]:
        """Predicts the windows that have become complete since the last call.

        Args:
            seconds_left: seconds until the caller's deadline, or None without one.
            ended: True if no more bytes will come.

        Raises:
            MalformedRequest: the stream has ended without a byte.
            Overloaded: the queue is full and the stream has ended; before its end the windows come later instead.
        """
        max_windows = self._engine.model.manifest.windows
        if ended:
            self._check_not_empty()
        while ended or self._clip.size >= self._next_try_bytes:
            stream_range = StreamRange(self._windows, ended, self._loudness)
            try:
                partial = await self._engine.analyze_partial(self._clip.path, stream_range, seconds_left)
            except Overloaded:
                if ended:
                    raise
                self._next_try_bytes = self._clip.size + _FIRST_TRY_BYTES
                return
            self._windows += len(partial.predictions)
            self._loudness = partial.loudness
            self._next_try_bytes = self._bytes_for_next_window(partial.seconds)
            for prediction in partial.predictions:
                yield prediction
            if len(partial.predictions) < max_windows:
                return

    async def complete_file(self) -> Path:
        """Returns the path of the whole clip.

        Raises:
            MalformedRequest: no byte has arrived.
        """
        self._check_not_empty()
        if self._form:
            await self._clip.replace_start(wav_header(self._form, self._clip.size - len(self._header)))
        return self._clip.path

    def _check_not_empty(self) -> None:
        if not self._clip.size:
            raise MalformedRequest("chunk", "The stream has no chunk. Send the bytes of a clip after the config.")

    def _bytes_for_next_window(self, seconds: float) -> int:
        """Estimates the number of bytes that hold one more window, where ``seconds`` can be decoded now."""
        size = self._clip.size
        if not seconds:
            return 2 * size
        needed = (self._windows + 1) * self._engine.model.manifest.features.window_seconds + _SPARE_SECONDS
        return max(size + 1, int(size * needed / seconds))
