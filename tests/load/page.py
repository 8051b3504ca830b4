"""The page that tells what came of a load."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Page:
    """What is written.

    Attributes:
        lines: of the page.
        broken: the promises that were not kept.
    """

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def table(self, *columns: str) -> None:
        """Begins a table."""
        self.lines += ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]

    def row(self, *cells: object) -> None:
        """Adds a row."""
        self.lines.append(f"| {' | '.join(_text(cell) for cell in cells)} |")

    def promise(self, what: str, kept: bool, measured: str) -> None:
        """Adds a promise and what was measured of it."""
        self.row(what, measured, "yes" if kept else "**no**")
        if not kept:
            self.broken.append(what)


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else str(cell)
