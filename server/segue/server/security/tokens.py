"""Bearer tokens and their scopes. A file holds only hashes of the tokens, and is reloaded when it changes.

The file is TOML with a line for each token, as ``segue-server token new`` prints it::

    player = { sha256 = "5f0c...", scopes = ["classify", "recommend"] }

A token has 256 random bits, so one round of SHA-256 is enough: it cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from segue.core.errors import MalformedRequest, TokenMissing, TokenScope, TokenUnknown
from segue.server.security.file_watcher import FileWatcher

# The service that each scope permits. Any token permits reflection; health needs none.
SCOPES = {
    "classify": "segue.v1.ClassificationService",
    "recommend": "segue.v1.RecommendationService",
    "read": "segue.v1.CatalogService",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grant:
    """The permissions of a token.

    Attributes:
        name: name of the token's owner, for people.
        sha256: hash of the token, 64 hexadecimal digits.
        scopes: at least one of ``SCOPES``.
    """

    name: str
    sha256: str
    scopes: frozenset[str]

    @property
    def line(self) -> str:
        """The line of the grant in a token file."""
        scopes = ", ".join(f'"{scope}"' for scope in sorted(self.scopes))
        return f'{self.name} = {{ sha256 = "{self.sha256}", scopes = [{scopes}] }}'


def new_token(name: str | None, scopes: Collection[str]) -> tuple[str, Grant]:
    """Returns a new token for its owner, and its grant for the token file."""
    token = f"segue_{secrets.token_urlsafe(32)}"
    digest = _hash(token)
    return token, Grant(name or f"token-{digest[:8]}", digest, frozenset(scopes))


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
        case {"sha256": str(digest), "scopes": [*scopes], **others} if not others and scopes:
            if re.fullmatch("[0-9a-f]{64}", digest) and all(str(scope) in SCOPES for scope in scopes):
                return Grant(name, digest, frozenset(scopes))
    raise MalformedRequest(
        "tokens",
        f'{name} in {file} is not {{ sha256 = "64 hexadecimal digits", scopes = [...] }} with some of '
        f"{', '.join(SCOPES)}. "
        "Use the line that `segue-server token new` prints.",
    )


class Tokens:
    """The tokens of a file."""

    def __init__(self, file: Path) -> None:
        """Reads the file.

        Raises:
            MalformedRequest: the file cannot be read, or has an entry that is no grant.
        """
        self._file = file
        self._watcher = FileWatcher(file)
        self._grants = read_grants(file)

    def check(self, token: str | None, service: str) -> None:
        """Checks that a token permits a service.

        Args:
            token: the token in the call, or None.
            service: full name of the service.

        Raises:
            TokenMissing: the call has no token.
            TokenUnknown: the token is not in the file.
            TokenScope: the token lacks the scope of the service.
        """
        self._reload()
        if not token:
            raise TokenMissing("This server requires a token. Send the header `authorization: Bearer TOKEN`.")
        grant = self._find_grant(token)
        if grant is None:
            raise TokenUnknown("This server does not know the token. Ask its operator for one.")
        scope = next((scope for scope, permitted in SCOPES.items() if permitted == service), None)
        if scope and scope not in grant.scopes:
            raise TokenScope(f"Token {grant.name} lacks the scope {scope}. Ask the operator for a token with it.")

    def _find_grant(self, token: str) -> Grant | None:
        digest = _hash(token)
        # Every hash is compared, each in constant time, so that the response time reveals nothing.
        return next(iter([grant for grant in self._grants if hmac.compare_digest(grant.sha256, digest)]), None)

    def _reload(self) -> None:
        if not self._watcher.changed():
            return
        try:
            self._grants = read_grants(self._file)
        except MalformedRequest as error:
            _log.warning("the tokens have changed but cannot be used, so the old ones stay: %s", error)
        else:
            _log.info("%s now has %d tokens", self._file, len(self._grants))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
