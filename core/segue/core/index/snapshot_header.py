"""The header of a snapshot: which catalogue, model and revision it holds, and the digests of its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from segue.core.catalogue.records import Identity
from segue.core.errors import SnapshotDamaged

FORMAT_VERSION = 1
HEADER, INDEX, TRACK_IDS = "header.json", "index.hnsw", "track_ids"


@dataclass(frozen=True)
class Header:
    """What a snapshot was made of.

    Attributes:
        uuid: of the catalogue.
        model_id: the artifact that heard every track.
        fingerprint: its front end's.
        width: the length of an embedding.
        revision: every event up to this one is in it; later ones may be.
        tracks: how many tracks are in it.
        files: the SHA-256 of its other files, by name.
        format_version: of the folder.
    """

    uuid: str
    model_id: str
    fingerprint: str
    width: int
    revision: int
    tracks: int
    files: dict[str, str]
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The header as its file has it, with its own digest."""
        return json.dumps({"header": asdict(self), "sha256": self._digest()}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Reads what ``to_json`` wrote.

        Raises:
            SnapshotDamaged: it is something else, or of another format.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            fields: dict[str, Any] = raw["header"]
            if fields["format_version"] != FORMAT_VERSION:
                raise SnapshotDamaged(
                    f"it has format {fields['format_version']}, and this Segue reads {FORMAT_VERSION}"
                )
            header = cls(**fields)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SnapshotDamaged(f"its {HEADER} is not a header ({error})") from error
        if raw.get("sha256") != header._digest():
            raise SnapshotDamaged(f"its {HEADER} was changed after it was written")
        return header

    def fits(self, identity: Identity) -> bool:
        """Whether it was made of this very catalogue."""
        mine = Identity(self.uuid, self.model_id, self.fingerprint, self.width)
        return mine == identity

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
