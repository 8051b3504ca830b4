"""The wheel and the sdist in dist/, which ./scripts/check builds. check-wheel-contents checks the rest of the wheel."""

from __future__ import annotations

import tarfile
from email import message_from_bytes
from pathlib import Path, PurePath
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata

pytestmark = pytest.mark.wheel

DIST = Path(__file__).parents[2] / "dist"
FIELDS = (
    *("Summary", "Author", "Keywords", "Classifier", "License-Expression", "License-File"),
    *("Requires-Python", "Description-Content-Type", "Provides-Extra"),
)
LEFTOVERS = {".pyc", ".pyo", ".so", ".orig", ".rej"}


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The one wheel in dist/."""
    (path,) = DIST.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """The paths of all files in the wheel and the sdist."""
    (sdist,) = DIST.glob("*.tar.gz")
    with ZipFile(wheel) as file, tarfile.open(sdist) as archive:
        return file.namelist() + archive.getnames()


def test_the_metadata_are_complete(wheel: Path) -> None:
    """The metadata are valid, and name the purpose, the terms and the requirements of the package."""
    with ZipFile(wheel) as file:
        (path,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        text = file.read(path)
    Metadata.from_email(text, validate=True)
    assert [] == [field for field in FIELDS if not message_from_bytes(text)[field]]


def test_the_namespace_has_no_init(names: list[str]) -> None:
    """segue/__init__.py would hide the packages that are installed elsewhere."""
    assert "segue/__init__.py" not in names


def test_no_leftovers(names: list[str]) -> None:
    """Nothing that was compiled, merged or cached is released."""
    leftovers = [name for name in names if PurePath(name).suffix in LEFTOVERS or "cache" in PurePath(name).parent.name]
    assert [] == leftovers
