"""The client of Segue: typed calls, synchronous or with asyncio.

They return the messages of the contract, from `segue.v1`.
"""

from __future__ import annotations

from segue.client._async_client import AsyncClient
from segue.client._audio import MAX_AUDIO_BYTES, AudioSource, path_of
from segue.client._client import Client
from segue.client._endpoint import DEFAULT_ADDRESS
from segue.client._writes import track_item
from segue.client.credentials import Credentials
from segue.client.errors import (
    AccessError,
    AudioError,
    AudioSilentError,
    AudioTooLongError,
    AudioTooShortError,
    AudioUndecodableError,
    AudioUnreadableError,
    CatalogueEmptyError,
    CatalogueError,
    CatalogueLockedError,
    CatalogueMismatchError,
    DeadlineExceededError,
    MalformedRequestError,
    MessageTooLargeError,
    OverloadedError,
    QuotaExceededError,
    SegueError,
    ServerError,
    ServerUnreachableError,
    StartingError,
    StoreUnavailableError,
    StreamStalledError,
    TokenMissingError,
    TokenScopeError,
    TokenUnknownError,
    TrackNotFoundError,
    TryAgainError,
    WorkerKilledError,
    WritesDisabledError,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "MAX_AUDIO_BYTES",
    "AccessError",
    "AsyncClient",
    "AudioError",
    "AudioSilentError",
    "AudioSource",
    "AudioTooLongError",
    "AudioTooShortError",
    "AudioUndecodableError",
    "AudioUnreadableError",
    "CatalogueEmptyError",
    "CatalogueError",
    "CatalogueLockedError",
    "CatalogueMismatchError",
    "Client",
    "Credentials",
    "DeadlineExceededError",
    "MalformedRequestError",
    "MessageTooLargeError",
    "OverloadedError",
    "QuotaExceededError",
    "SegueError",
    "ServerError",
    "ServerUnreachableError",
    "StartingError",
    "StoreUnavailableError",
    "StreamStalledError",
    "TokenMissingError",
    "TokenScopeError",
    "TokenUnknownError",
    "TrackNotFoundError",
    "TryAgainError",
    "WorkerKilledError",
    "WritesDisabledError",
    "path_of",
    "track_item",
]
