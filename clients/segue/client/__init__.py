"""The client of Segue: typed calls for plain code and for asyncio.

They return the messages of the contract itself, from `segue.v1`.
"""

from segue.client.calls import DEFAULT_ADDRESS, MAX_AUDIO_BYTES, AudioSource
from segue.client.clients import AsyncClient, Client
from segue.client.errors import (
    AudioError,
    AudioSilentError,
    AudioTooLongError,
    AudioTooShortError,
    AudioUndecodableError,
    AudioUnreadableError,
    CatalogueEmptyError,
    CatalogueError,
    CatalogueMismatchError,
    DeadlineExceededError,
    MalformedRequestError,
    MessageTooLargeError,
    OverloadedError,
    SegueError,
    ServerError,
    ServerUnreachableError,
    StartingError,
    StoreUnavailableError,
    TrackNotFoundError,
    TryAgainError,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "MAX_AUDIO_BYTES",
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
    "CatalogueMismatchError",
    "Client",
    "DeadlineExceededError",
    "MalformedRequestError",
    "MessageTooLargeError",
    "OverloadedError",
    "SegueError",
    "ServerError",
    "ServerUnreachableError",
    "StartingError",
    "StoreUnavailableError",
    "TrackNotFoundError",
    "TryAgainError",
]
