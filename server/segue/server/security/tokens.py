"""Bearer tokens: who may call what. A file keeps only their hashes, and is read again when it changes.

The file is TOML, a line for each token, as ``segue-server token new`` prints it::

    player = { sha256 = "5f0c...", scopes = ["classify", "recommend"] }

A token is 256 random bits, so that one round of SHA-256 is enough: there is nothing to guess.
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

# What each scope opens. Reflection is open to whoever has any token, and health to everyone.
SCOPES = {
    "classify": "segue.v1.ClassificationService",
    "recommend": "segue.v1.RecommendationService",
    "read": "segue.v1.CatalogService",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grant:
    """What the holder of a token may do.

    Attributes:
        name: whose it is, for people.
        sha256: the hash of the token, 64 hexadecimal digits.
        scopes: some of ``SCOPES``, at least one.
    """

    name: str
    sha256: str
    scopes: frozenset[str]

    @property
    def line(self) -> str:
        """The grant as it stands in a file."""
        scopes = ", ".join(f'"{scope}"' for scope in sorted(self.scopes))
        return f'{self.name} = {{ sha256 = "{self.sha256}", scopes = [{scopes}] }}'


def new_token(name: str | None, scopes: Collection[str]) -> tuple[str, Grant]:
    """Makes a token, which is to be given to its holder, and the grant that is to be kept."""
    token = f"segue_{secrets.token_urlsafe(32)}"
    digest = _hash(token)
    return token, Grant(name or f"token-{digest[:8]}", digest, frozenset(scopes))


def read_grants(file: Path) -> list[Grant]:
    """Reads a file of tokens.

    Raises:
        MalformedRequest: it cannot be read, or says something else than who may do what.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MalformedRequest("tokens", f"{file} cannot be read: {error.strerror}. See --tokens.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("tokens", f"{file} is not TOML: {error}.") from error
    return [_grant(file, name, entry) for name, entry in entries.items()]


def _grant(file: Path, name: str, entry: object) -> Grant:
    match entry:
        case {"sha256": str(digest), "scopes": [*scopes], **others} if not others and scopes:
            if re.fullmatch("[0-9a-f]{64}", digest) and all(str(scope) in SCOPES for scope in scopes):
                return Grant(name, digest, frozenset(scopes))
    raise MalformedRequest(
        "tokens",
        f'{name} in {file} is not {{ sha256 = "64 hexadecimal digits", scopes = [...] }} with some of '
        f"{', '.join(SCOPES)}. "
        "Take the line that `segue-server token new` prints.",
    )


class Tokens:
    """The tokens of a file."""

    def __init__(self, file: Path) -> None:
        """Reads the file.

        Raises:
            MalformedRequest: it cannot be used.
        """
        self._file = file
        self._watched = FileWatcher(file)
        self._grants = read_grants(file)

    def check(self, token: str | None, service: str) -> None:
        """Lets a call pass, or does not.

        Args:
            token: what the caller sent, or None.
            service: the full name of the service that it calls.

        Raises:
            TokenMissing: it sent none.
            TokenUnknown: no line of the file is of that token.
            TokenScope: its line does not name the scope of that service.
        """
        self._read_again()
        if not token:
            raise TokenMissing("This server wants a token. Send the header `authorization: Bearer TOKEN`.")
        grant = self._find(token)
        if grant is None:
            raise TokenUnknown("This server does not know the token. Ask its operator for one.")
        needed = next((scope for scope, opened in SCOPES.items() if opened == service), None)
        if needed and needed not in grant.scopes:
            raise TokenScope(f"The token {grant.name} is not for this. Ask for one with the scope {needed}.")

    def _find(self, token: str) -> Grant | None:
        digest = _hash(token)
        # All are looked at, and each in the same time, so that an answer's delay tells nothing.
        return next(iter([grant for grant in self._grants if hmac.compare_digest(grant.sha256, digest)]), None)

    def _read_again(self) -> None:
        if not self._watched.changed():
            return
        try:
            self._grants = read_grants(self._file)
        except MalformedRequest as error:
            _log.warning("the tokens have changed and cannot be used, so the old ones stay: %s", error)
        else:
            _log.info("%s has %d tokens now", self._file, len(self._grants))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
