"""Replaces the external ids of a request by the ids of the tracks that have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Protocol, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from segue.core.catalogue.external_ids import PREFIX, resolve_ids
from segue.core.catalogue.own_metadata import MAX_EXTERNAL_ID
from segue.core.catalogue.store import TrackStore
from segue.server.inference.bounded_executor import BoundedExecutor

M = TypeVar("M", bound=Message)

_ID_FIELDS = ("track_id", "track_ids")
# More than any request may have: a thousand in each list of a filter, and the seeds.
_MAX_IDS = 3_000
_MAX_LENGTH = len(PREFIX) + MAX_EXTERNAL_ID


class StoredCatalogue(Protocol):
    """A catalogue with a store."""

    @property
    def store(self) -> TrackStore:
        """The store, or StoreUnavailable if it does not answer."""
        ...


async def resolve_external_ids(request: M, catalogue: StoredCatalogue, readers: BoundedExecutor) -> M:
    """Replaces external ids in all fields for track ids, and returns the same request.

    An unknown external id stays, and is an unknown track id then.

    Args:
        request: any request.
        catalogue: has the tracks.
        readers: threads that read the store.

    Raises:
        StoreUnavailable: there is an external id, and the store does not answer.
    """
    # A request with more ids is refused by its checks, and one with a longer id is for an unknown track.
    all_ids = islice(_ids(request), _MAX_IDS + 1)
    given = [each for each in all_ids if each.startswith(PREFIX) and len(each) <= _MAX_LENGTH]
    if 0 < len(given) <= _MAX_IDS:
        found = await readers.run(resolve_ids, given, catalogue.store)
        _replace(request, dict(zip(given, found, strict=True)))
    return request


def _ids(message: Message) -> Iterator[str]:
    """Yields the ids in all fields of a message for track ids."""
    for field in _fields_with_ids(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if isinstance(value, str):
            yield value
        elif field.name in _ID_FIELDS:
            yield from value
        else:
            for part in _parts(message, field):
                yield from _ids(part)


def _replace(message: Message, track_ids: dict[str, str]) -> None:
    """Replaces ids in all fields of a message for track ids."""
    for field in _fields_with_ids(message.DESCRIPTOR):
        value = getattr(message, field.name)
        if isinstance(value, str):
            if value in track_ids:
                setattr(message, field.name, track_ids[value])
        elif field.name in _ID_FIELDS:
            value[:] = [track_ids.get(each, each) for each in value]
        else:
            for part in _parts(message, field):
                _replace(part, track_ids)


def _parts(message: Message, field: FieldDescriptor) -> Iterable[Any]:
    """Returns the messages that are set in a field."""
    value = getattr(message, field.name)
    if isinstance(value, Message):
        return [value] if message.HasField(field.name) else []
    return list(value)


@cache
def _fields_with_ids(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Returns the fields of a message that have track ids themselves or in their messages, so that no other is read."""
    return tuple(
        field
        for field in descriptor.fields
        if (field.message_type is None and field.name in _ID_FIELDS)
        or (field.message_type is not None and _fields_with_ids(field.message_type))
    )
