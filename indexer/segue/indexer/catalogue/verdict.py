"""The result of ``segue-indexer verify``."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.catalogue.finding import Finding


@dataclass(frozen=True)
class Verdict:
    """Result of a check.

    Attributes:
        findings: the problems that were found.
        remaining: the problems that exist after the repair, or all of them without one.
    """

    findings: list[Finding]
    remaining: list[Finding]
