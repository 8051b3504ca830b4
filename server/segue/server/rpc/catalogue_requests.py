"""Checks of the requests to the catalogue service."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple

from segue.core.errors import MalformedRequest
from segue.core.selection.folding import fold
from segue.server.live_catalogue.track_texts import Match
from segue.v1 import catalog_service_pb2

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1_000
MAX_BATCH = 1_000
MAX_QUERY_LENGTH, MAX_QUERY_WORDS = 256, 16
_TRACK_ID = re.compile("[0-9a-f]{32}")
_MATCH = re.compile("([0-3]) ([0-9a-f]{32})")


class Page(NamedTuple):
    """A page of the catalogue.

    Attributes:
        after: the id before the first one of the page, or "" for the first page.
        size: largest number of tracks, [1, 1000].
    """

    after: str
    size: int


class Search(NamedTuple):
    """A page of the tracks that a query finds.

    Attributes:
        words: the folded words of the query, at least one.
        after: the last match of the page before, or None for the first page.
        size: largest number of tracks, [1, 1000].
    """

    words: Sequence[str]
    after: Match | None
    size: int


def track_id(value: str) -> str:
    """Returns the id of a track in a request.

    Raises:
        MalformedRequest: it is empty.
    """
    if not value:
        raise MalformedRequest("track_id", "track_id is empty; send the id of a track that ListTracks returns.")
    return value


def track_path(request: catalog_service_pb2.GetTrackRequest) -> str:
    """Returns the path of the requested track, or "" if the request has an id.

    Raises:
        MalformedRequest: the request has both.
    """
    if request.path and request.track_id:
        raise MalformedRequest("path", "The request has a track_id and a path; send one of them.")
    return request.path


def batch_ids(
    request: catalog_service_pb2.BatchGetTracksRequest | catalog_service_pb2.DeleteTracksRequest,
) -> list[str]:
    """Returns the requested ids.

    Raises:
        MalformedRequest: there is no id, an empty one, or more than 1000.
    """
    count = len(request.track_ids)
    if not 1 <= count <= MAX_BATCH:
        raise MalformedRequest("track_ids", f"track_ids has {count:,} ids; send 1 to {MAX_BATCH:,} of them.")
    if "" in request.track_ids:
        raise MalformedRequest("track_ids", "track_ids has an empty id; send ids of tracks that ListTracks returns.")
    return list(request.track_ids)


def page(request: catalog_service_pb2.ListTracksRequest) -> Page:
    """Returns the requested page.

    Raises:
        MalformedRequest: the size is negative, or the token was not returned by ``page_token``.
    """
    size, after = _page_size(request.page_size), _token_text(request.page_token)
    if after and not _TRACK_ID.fullmatch(after):
        raise _foreign_token()
    return Page(after, size)


def search(request: catalog_service_pb2.SearchTracksRequest) -> Search:
    """Returns the requested page of a search.

    Raises:
        MalformedRequest: the query has no word or too many, the size is negative, or the token was not returned by
            ``match_token``.
    """
    size, after = _page_size(request.page_size), _token_text(request.page_token)
    match = _MATCH.fullmatch(after)
    if after and not match:
        raise _foreign_token()
    return Search(_query_words(request.query), match and Match(int(match[1]), match[2]), size)


def page_token(last: str) -> str:
    """Returns the token of the page after an id, or after a match as text."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def match_token(last: Match | None) -> str:
    """Returns the token of the page after a match; empty for None, after the last page."""
    return "" if last is None else page_token(f"{last.rank} {last.track_id}")


def _query_words(query: str) -> list[str]:
    if len(query) > MAX_QUERY_LENGTH:
        raise MalformedRequest("query", f"query has {len(query):,} characters; use at most {MAX_QUERY_LENGTH}.")
    words = list(dict.fromkeys(fold(query).split()))
    if not 1 <= len(words) <= MAX_QUERY_WORDS:
        raise MalformedRequest("query", f"query has {len(words)} words; use 1 to {MAX_QUERY_WORDS}.")
    return words


def _page_size(size: int) -> int:
    if size < 0:
        raise MalformedRequest(
            "page_size", f"page_size is {size}; use 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}."
        )
    return min(size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _token_text(token: str) -> str:
    """Returns the text in a page token, "" for an empty token."""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _foreign_token() from None
    if token != page_token(text):
        raise _foreign_token()
    return text


def _foreign_token() -> MalformedRequest:
    return MalformedRequest(
        "page_token",
        "page_token is not from this service; send next_page_token unchanged, or nothing for the first page.",
    )
