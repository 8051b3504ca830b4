"""Bearer tokens, their scopes and their quotas. A file holds only hashes of them, and is reloaded when it changes.

The file is TOML with a line for each token, as ``segue-server token new`` prints it::

    player = { sha256 = "5f0c...", scopes = ["classify", "recommend"], concurrency = 8 }

A token has 256 random bits, so one round of SHA-256 is enough: it cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import re
import secrets
import tomllib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from segue.core.errors import MalformedRequest, TokenMissing, TokenScope, TokenUnknown
from segue.server.callers.caller import Caller
from segue.server.callers.quota import QuotaMeter, QuotaMetrics, Quotas
from segue.server.security.file_watcher import FileWatcher

# The methods that write, and the services of whose other methods each scope permits the call. Any token permits
# reflection; health needs none.
_WRITING = {f"segue.v1.CatalogService/{method}" for method in ("UpsertTracks", "UpdateTrack", "DeleteTracks")}
SCOPES = {
    "classify": {"segue.v1.ClassificationService"},
    "recommend": {"segue.v1.RecommendationService", "segue.v1.PlaylistService"},
    "read": {"segue.v1.CatalogService"},
    "write": _WRITING,
    "feedback": {"segue.v1.FeedbackService"},
}
# The quotas of the file, with the types of TOML that each may have.
QUOTAS: dict[str, tuple[type, ...]] = {"rate": (int, float), "concurrency": (int,), "seconds_of_audio": (int, float)}
_NO_QUOTAS = Quotas()

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grant:
    """The permissions of a token.

    Attributes:
        name: name of the token's owner, for people.
        sha256: hash of the token, 64 hexadecimal digits.
        scopes: at least one of ``SCOPES``.
        quotas: limits on what it may use.
    """

    name: str
    sha256: str
    scopes: frozenset[str]
    quotas: Quotas = _NO_QUOTAS

    @property
    def line(self) -> str:
        """The line of the grant in a token file."""
        scopes = ", ".join(f'"{scope}"' for scope in sorted(self.scopes))
        quotas = "".join(f", {name} = {value}" for name, value in asdict(self.quotas).items() if value)
        return f'{self.name} = {{ sha256 = "{self.sha256}", scopes = [{scopes}]{quotas} }}'


def new_token(name: str | None, scopes: Collection[str], quotas: Quotas = _NO_QUOTAS) -> tuple[str, Grant]:
    """Returns a new token for its owner, and its grant for the token file."""
    token = f"segue_{secrets.token_urlsafe(32)}"
    digest = _hash(token)
    return token, Grant(name or f"token-{digest[:8]}", digest, frozenset(scopes), quotas)


def read_grants(file: Path) -> list[Grant]:
    """Reads a token file.

    Raises:
        MalformedRequest: the file cannot be read, or has an entry that is no grant.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MalformedRequest("tokens", f"{file} cannot be read: {error.strerror}. See --tokens.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("tokens", f"{file} is not TOML: {error}.") from error
    return [_parse_grant(file, name, entry) for name, entry in entries.items()]


def _parse_grant(file: Path, name: str, entry: object) -> Grant:
    match entry:
        case {"sha256": str(digest), "scopes": [*scopes], **quotas} if scopes and _are_quotas(quotas):
            if re.fullmatch("[0-9a-f]{64}", digest) and all(str(scope) in SCOPES for scope in scopes):
                return Grant(name, digest, frozenset(scopes), Quotas(**cast("dict[str, Any]", quotas)))
    raise MalformedRequest(
        "tokens",
        f'{name} in {file} is not {{ sha256 = "64 hexadecimal digits", scopes = [...] }} with some of '
        f"{', '.join(SCOPES)}, and perhaps rate, concurrency and seconds_of_audio, which are numbers above 0. "
        "Use the line that `segue-server token new` prints.",
    )


def _are_quotas(entry: dict[Any, object]) -> bool:
    """Returns whether an entry has only quotas; ``True`` is an int in Python, but not in TOML."""
    return all(
        name in QUOTAS and type(value) in QUOTAS[name] and 0 < cast("float", value) < math.inf
        for name, value in entry.items()
    )


class Tokens:
    """The tokens of a file."""

    def __init__(self, file: Path, metrics: QuotaMetrics | None = None) -> None:
        """Reads the file.

        Args:
            file: the file.
            metrics: receives what the tokens use of their quotas, or None.

        Raises:
            MalformedRequest: the file cannot be read, or has an entry that is no grant.
        """
        self._file = file
        self._metrics = metrics
        self._watcher = FileWatcher(file)
        self._meters: dict[str, QuotaMeter] = {}
        self._grants: list[Grant] = []
        self._use(read_grants(file))

    def caller(self, token: str | None, method: str) -> Caller:
        """Returns the caller with a token, which must permit a method.

        Args:
            token: the token in the call, or None.
            method: full name of the method, such as "segue.v1.CatalogService/GetStatus".

        Raises:
            TokenMissing: the call has no token.
            TokenUnknown: the token is not in the file.
            TokenScope: the token lacks the scope of the method.
        """
        self._reload()
        if not token:
            raise TokenMissing("This server requires a token. Send the header `authorization: Bearer TOKEN`.")
        grant = self._find_grant(token)
        if grant is None:
            raise TokenUnknown("This server does not know the token. Ask its operator for one.")
        scope = _scope_of(method)
        if scope and scope not in grant.scopes:
            raise TokenScope(f"Token {grant.name} lacks the scope {scope}. Ask the operator for a token with it.")
        return Caller(grant.name, self._meters[grant.name])

    def _find_grant(self, token: str) -> Grant | None:
        digest = _hash(token)
        # Every hash is compared, each in constant time, so that the response time reveals nothing.
        return next(iter([grant for grant in self._grants if hmac.compare_digest(grant.sha256, digest)]), None)

    def _reload(self) -> None:
        if not self._watcher.changed():
            return
        try:
            self._use(read_grants(self._file))
        except MalformedRequest as error:
            _log.warning("the tokens have changed but cannot be used, so the old ones stay: %s", error)
        else:
            _log.info("%s now has %d tokens", self._file, len(self._grants))

    def _use(self, grants: list[Grant]) -> None:
        """Replaces the grants; a token whose quotas are the same has used as much of them as before."""
        known = self._meters
        self._meters = {
            grant.name: meter
            if (meter := known.get(grant.name)) and meter.quotas == grant.quotas
            else QuotaMeter(grant.name, grant.quotas, self._metrics)
            for grant in grants
        }
        self._grants = grants


def _scope_of(method: str) -> str | None:
    """Returns the scope that a method needs, or None."""
    name = method if method in _WRITING else method.partition("/")[0]
    return next((scope for scope, permitted in SCOPES.items() if name in permitted), None)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
