"""The layout of the packages, and the files that describe the whole project."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from segue.core.settings.version import VERSION

ROOT = Path(__file__).parents[2]
ROOTS = ("core", "clients", "server", "indexer", "trainer")
PACKAGES = (
    ("core", "core"),
    ("clients", "client"),
    ("clients", "v1"),
    ("server", "server"),
    ("indexer", "indexer"),
    ("trainer", "trainer"),
)


@pytest.mark.parametrize("root", ROOTS)
def test_namespace_has_no_init(root: str) -> None:
    """No root has segue/__init__.py, which would hide the packages of the other roots."""
    assert not (ROOT / root / "segue" / "__init__.py").exists()


@pytest.mark.parametrize("package", [f"{root}/segue/{name}" for root, name in PACKAGES])
def test_packages_are_typed(package: str) -> None:
    """Each package ships its types."""
    assert (ROOT / package / "py.typed").exists()


def test_constraints_name_no_host() -> None:
    """The constraints pin versions and nothing else, so that any index can serve them."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [] == [line for line in lines if line.count("==") != 1 or "/" in line or "@" in line]


def test_the_changelog_has_the_version() -> None:
    """The newest entry of the changelog is the version of the project."""
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert VERSION == headings[0].split()[1]


def test_the_protos_of_others_are_unchanged() -> None:
    """The protos outside of segue/v1, from which other languages generate, are those that Python's package has."""
    paths = list((ROOT / "proto" / "google").rglob("*.proto"))
    assert ["status.proto"] == [path.name for path in paths]
    for path in paths:
        name = f"google.{path.parent.name}.{path.stem}_pb2"
        original = Path(importlib.import_module(name).__file__ or "").with_name(path.name)
        definition = [file.read_text(encoding="utf-8").partition("syntax =")[2] for file in (original, path)]
        assert definition[0] == definition[1], path
