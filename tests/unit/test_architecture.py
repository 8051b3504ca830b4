"""The map of the code: the page is true, and the rooms stay small and shallow."""

from __future__ import annotations

import ast
import re
import runpy
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MAX_MODULES, MAX_LINES, MAX_CHAIN, MAX_FUNCTION_P90 = 14, 300, 11, 20


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """The script that draws the rooms."""
    return runpy.run_path(str(ROOT / "scripts" / "draw-rooms"))


def sources(*folders: str) -> Iterator[Path]:
    """The Python files of folders, without generated ones."""
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "segue/v1" not in path.as_posix())


CODE = ("core", "clients/segue", "server", "indexer", "trainer")


def test_the_drawing_is_true(script: dict[str, Any]) -> None:
    """The rooms on the page are those of the code; if not, run scripts/draw-rooms."""
    _, _, rest = PAGE.partition(script["BEGIN"])
    drawn, end, _ = rest.partition(script["END"])
    assert end
    assert script["rooms"]() == drawn


def test_every_file_on_the_page_exists() -> None:
    """Each module that the page names is in the tree, in the folder that the page says."""
    tracked = {path.relative_to(ROOT).as_posix() for path in sources(*CODE)}
    short = {re.sub(r"^(\w+)/segue/", "", path) for path in tracked}
    names = {path.rpartition("/")[2] for path in tracked}
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert named
    assert set() == named - tracked - short - names


def test_folders_are_small() -> None:
    """No folder has more modules than a person can hold in mind."""
    counts = Counter(path.parent for path in sources(*CODE, "tests", "benchmarks", "docker"))
    assert {} == {str(folder): count for folder, count in counts.items() if count > MAX_MODULES}


def test_files_are_short() -> None:
    """No file is too long to be read in one go."""
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in sources(*CODE, "tests", "benchmarks")}
    assert {} == {str(path): count for path, count in lines.items() if count > MAX_LINES}


def test_functions_are_short() -> None:
    """Nine functions of ten fit on a screen with room to spare."""
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in sources(*CODE)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) * 9 // 10] <= MAX_FUNCTION_P90


def test_import_chains_are_short(script: dict[str, Any]) -> None:
    """From a command to the last module that it needs are few steps, imports inside functions included."""
    graph = script["import_graph"]()

    @cache
    def chain(module: str) -> tuple[str, ...]:
        below = (chain(target) for target in graph.find_modules_directly_imported_by(module))
        return (module, *max(below, key=len, default=()))

    # __main__ only starts cli.main, which has a console script of its own.
    longest = max((chain(module) for module in graph.modules if not module.endswith("__main__")), key=len)
    assert len(longest) <= MAX_CHAIN, " > ".join(longest)
