"""Finds the model of the catalogue, for a server that is started without ``--model``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.store import TrackStore
from segue.core.errors import StoreUnavailable
from segue.core.index.snapshot import newest_identity
from segue.core.model.known_models import find_model

_log = logging.getLogger(__name__)


def remembered_model(data: Path, open_store: Callable[[], TrackStore]) -> Path:
    """Returns the folder of the model that built the catalogue, or of the default model if there is no catalogue.

    While the store does not answer, the newest snapshot says which model it was.

    Args:
        data: Segue's data folder.
        open_store: opens the store.

    Raises:
        ArtifactError: the model is not here.
    """
    try:
        identity = open_store().identity()
    except StoreUnavailable as error:
        identity = newest_identity(data)
        _log_unknown(error, identity)
    return find_model(identity, data)


def _log_unknown(error: StoreUnavailable, identity: Identity | None) -> None:
    source = "the newest snapshot" if identity else "the default, since there is no snapshot either"
    _log.warning("Redis cannot say which model built the catalogue: %s The model is that of %s.", error, source)
