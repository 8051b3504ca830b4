"""Finds out whether this server can take over a catalogue that another model has built."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.store import check_same_model
from segue.core.errors import ArtifactError, CatalogueMismatch, Starting
from segue.core.model.artifact import Manifest
from segue.core.model.known_models import find_model, read_model_id

OTHER_MODEL_ADVICE = "Start the server with that model, or index the music again with this one."
"""What to do about a catalogue that another model built."""


class CatalogueReplaced(Starting):
    """Another model has built the catalogue, and the server loads it; callers see this only without an older view."""


def check_model(identity: Identity, manifest: Manifest, has_successor: Callable[[Identity], bool]) -> None:
    """Checks that the model of this server has built a catalogue.

    Raises:
        CatalogueReplaced: another model has, and the server has it.
        CatalogueMismatch: another model has, and the server does not have it, or was started with this one.
    """
    try:
        check_same_model(identity, manifest.key, advice=OTHER_MODEL_ADVICE)
    except CatalogueMismatch as error:
        if has_successor(identity):
            text = "Another model has built the catalogue, and the server loads it. Try again in a second."
            raise CatalogueReplaced(text) from error
        raise


def has_model(identity: Identity, named: Path | None, data: Path) -> bool:
    """Returns whether a server has the model of a catalogue.

    Args:
        identity: identity of the catalogue.
        named: the model that the server was started with, or None to use that of the catalogue.
        data: Segue's data folder.
    """
    if named:
        return read_model_id(named) == identity.model_id
    with suppress(ArtifactError):
        find_model(identity, data)
        return True
    return False
