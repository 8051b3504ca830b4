from __future__ import annotations

import inspect
import pickle
import re

import pytest

import segue.client
from segue.client import AsyncClient, AudioSilentError, Client, SegueError, errors

SURFACE = [
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
LISTINGS = {"list_tracks", "search", "search_pages"}
STREAMS = {"batch_classify", "streaming_classify", "streaming_recommend", "upsert_tracks"}


def methods(kind: type) -> dict[str, inspect.Signature]:
    """Finds the public methods of a client and their signatures."""
    functions = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(method) for name, method in functions if not name.startswith("_")}


def test_surface() -> None:
    """The package exports these names, and all of them exist."""
    assert SURFACE == segue.client.__all__
    assert [] == [name for name in SURFACE if not hasattr(segue.client, name)]


def test_clients_alike() -> None:
    """Both clients have the same methods and parameters; only the types of streams and listings differ."""
    plain, asynchronous = methods(Client), methods(AsyncClient)
    assert parameters(plain) == parameters(asynchronous)
    for select, names in ((lambda s: s.return_annotation, LISTINGS | STREAMS), (parameter_types, STREAMS)):
        assert names == {name for name in plain if select(plain[name]) != select(asynchronous[name])}


def parameters(signatures: dict[str, inspect.Signature]) -> dict[str, list[tuple[str, object, object]]]:
    """Returns the names, kinds and defaults of the parameters of each method."""
    return {
        name: [(each.name, each.kind, each.default) for each in signature.parameters.values()]
        for name, signature in signatures.items()
    }


def parameter_types(signature: inspect.Signature) -> list[object]:
    """Returns the types of the parameters of a method."""
    return [each.annotation for each in signature.parameters.values()]


def test_tree_in_docstring() -> None:
    """The tree in the docstring of errors.py is the tree of the classes."""
    lines = re.findall(r"^([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    depths = [(len(lead) // 4 - 1, name) for lead, name in lines]

    def walk(kind: type[SegueError], depth: int) -> list[tuple[int, str]]:
        below = [entry for child in kind.__subclasses__() for entry in walk(child, depth + 1)]
        return [(depth, kind.__name__), *below]

    assert walk(SegueError, 0) == depths


def test_error_pickles() -> None:
    """An error keeps its attributes when it is pickled."""
    error = AudioSilentError("Every window is silent.", field="audio.content", request_id="r-1", retry_after=0.5)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (AudioSilentError, vars(error), str(error)) == (type(copy), vars(copy), str(copy))


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("inf"), float("nan"), 1e12])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_timeout_out_of_range(kind: type[Client] | type[AsyncClient], timeout: float) -> None:
    """A timeout out of range is refused when the client is created."""
    with pytest.raises(ValueError, match="timeout is more than 0"):
        kind(timeout=timeout)
