"""Reads and writes the header of a snapshot: catalogue, model, revision and digests of the files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from segue.core.catalogue.identity import Identity
from segue.core.errors import SnapshotDamaged

FORMAT_VERSION = 1
HEADER, INDEX, TRACK_IDS, COPIES = "header.json", "index.hnsw", "track_ids", "copies"


@dataclass(frozen=True)
class SnapshotHeader:
    """The catalogue and the revision that a snapshot was built from.

    Attributes:
        uuid: id of the catalogue.
        model_id: id of the artifact that made every embedding.
        fingerprint: fingerprint of the artifact's front end.
        width: width of an embedding.
        revision: revision up to which all events are included; later ones may be.
        tracks: number of tracks.
        files: SHA-256 of each other file of the snapshot, by name.
        format_version: version of the folder's format.
        mark: mark of the event with this revision; see ``Event``.
    """

    uuid: str
    model_id: str
    fingerprint: str
    width: int
    revision: int
    tracks: int
    files: dict[str, str]
    format_version: int = FORMAT_VERSION
    mark: int = 0

    def to_json(self) -> str:
        """Returns the content of the header's file, with a digest of itself."""
        return json.dumps({"header": self._fields(), "sha256": self._digest()}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SnapshotHeader:
        """Parses what ``to_json`` returned.

        Raises:
            SnapshotDamaged: the text is not a header, was changed, or has another format version.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            fields: dict[str, Any] = raw["header"]
            if fields["format_version"] != FORMAT_VERSION:
                raise SnapshotDamaged(
                    f"it has format {fields['format_version']}, and this version of Segue reads {FORMAT_VERSION}"
                )
            header = cls(**fields)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SnapshotDamaged(f"its {HEADER} is not a header ({error})") from error
        if raw.get("sha256") != header._digest():
            raise SnapshotDamaged(f"its {HEADER} was changed after it was written")
        return header

    @property
    def identity(self) -> Identity:
        """The catalogue that the snapshot was built from."""
        return Identity(self.uuid, self.model_id, self.fingerprint, self.width)

    def fits(self, identity: Identity) -> bool:
        """Returns whether the snapshot was built from this catalogue."""
        return identity == self.identity

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self._fields(), sort_keys=True).encode()).hexdigest()

    def _fields(self) -> dict[str, Any]:
        """Returns the fields as they are stored; earlier versions had no mark."""
        fields = asdict(self)
        return fields if self.mark else {name: value for name, value in fields.items() if name != "mark"}
