"""The wheels and the sdist in dist/, which ./scripts/check builds. check-wheel-contents checks the rest of a wheel."""

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


def wheel_of(package: str) -> Path:
    """Returns the one wheel of a package in dist/."""
    (path,) = DIST.glob(f"{package}-*.whl")
    return path


def metadata(wheel: Path) -> bytes:
    """Reads the text of a wheel's metadata."""
    with ZipFile(wheel) as file:
        (path,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        return file.read(path)


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The paths of all files in the wheels and the sdist."""
    (sdist,) = DIST.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        found = archive.getnames()
    for wheel in DIST.glob("*.whl"):
        with ZipFile(wheel) as file:
            found += file.namelist()
    return found


@pytest.mark.parametrize("package", ["segue", "segue_client"])
def test_the_metadata_are_complete(package: str) -> None:
    """The metadata are valid, and name the purpose, the terms and the requirements of the package."""
    text = metadata(wheel_of(package))
    Metadata.from_email(text, validate=True)
    assert [] == [field for field in FIELDS if not message_from_bytes(text)[field]]


def test_the_client_is_that_of_segue() -> None:
    """The client's package has the version of Segue, the packages of its base install, and no file of its own."""
    segue, client = (Metadata.from_email(metadata(wheel_of(name))) for name in ("segue", "segue_client"))
    base = {str(requirement) for requirement in segue.requires_dist or () if "extra" not in str(requirement.marker)}
    own = {str(requirement) for requirement in client.requires_dist or () if "extra" not in str(requirement.marker)}
    assert (segue.version, base) == (client.version, own)
    with ZipFile(wheel_of("segue")) as all_files, ZipFile(wheel_of("segue_client")) as files:
        modules = [name for name in files.namelist() if name.startswith("segue/")]
        assert [] == [name for name in modules if files.read(name) != all_files.read(name)]


def test_the_namespace_has_no_init(names: list[str]) -> None:
    """segue/__init__.py would hide the packages that are installed elsewhere."""
    assert "segue/__init__.py" not in names


def test_no_leftovers(names: list[str]) -> None:
    """Nothing that was compiled, merged or cached is released."""
    leftovers = [name for name in names if PurePath(name).suffix in LEFTOVERS or "cache" in PurePath(name).parent.name]
    assert [] == leftovers
