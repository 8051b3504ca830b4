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
    "CatalogueMismatchError",
    "Client",
    "Credentials",
    "DeadlineExceededError",
    "MalformedRequestError",
    "MessageTooLargeError",
    "OverloadedError",
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
]


def methods(kind: type) -> dict[str, inspect.Signature]:
    """Finds the public methods of a client, without what tells awaiting from not."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(method) for name, method in found if not name.startswith("_")}


def test_surface() -> None:
    """What the client exports is what is written here, and it is all there."""
    assert SURFACE == segue.client.__all__
    assert [] == [name for name in SURFACE if not hasattr(segue.client, name)]


def test_clients_alike() -> None:
    """Both clients have the same methods with the same parameters; what answers or takes many is of another kind."""
    plain, awaited = methods(Client), methods(AsyncClient)
    assert parameters(plain) == parameters(awaited)
    for kind, difference in ((lambda s: s.return_annotation, {"list_tracks", *STREAMS}), (annotations, STREAMS)):
        assert difference == {name for name in plain if kind(plain[name]) != kind(awaited[name])}


STREAMS = {"streaming_classify", "streaming_recommend"}


def parameters(signatures: dict[str, inspect.Signature]) -> dict[str, list[tuple[str, object, object]]]:
    """The names, kinds and defaults of what each method takes."""
    return {
        name: [(each.name, each.kind, each.default) for each in signature.parameters.values()]
        for name, signature in signatures.items()
    }


def annotations(signature: inspect.Signature) -> list[object]:
    """The types of what a method takes."""
    return [each.annotation for each in signature.parameters.values()]


def test_drawn_tree() -> None:
    """The tree that is drawn on top of errors.py is the tree of the classes."""
    drawn = re.findall(r"^([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    depths = [(len(lead) // 4 - 1, name) for lead, name in drawn]

    def walk(kind: type[SegueError], depth: int) -> list[tuple[int, str]]:
        below = [entry for child in kind.__subclasses__() for entry in walk(child, depth + 1)]
        return [(depth, kind.__name__), *below]

    assert walk(SegueError, 0) == depths


def test_error_pickles() -> None:
    """An error crosses to another process with all that it knows."""
    error = AudioSilentError("There is nothing to hear.", field="audio.content", request_id="r-1", retry_after=0.5)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (AudioSilentError, vars(error), str(error)) == (type(again), vars(again), str(again))


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("inf"), float("nan"), 1e12])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_timeout_out_of_range(kind: type[Client] | type[AsyncClient], timeout: float) -> None:
    """A timeout that gRPC would take for one in the past is refused when the client is made."""
    with pytest.raises(ValueError, match="timeout is more than 0"):
        kind(timeout=timeout)
