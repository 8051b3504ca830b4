"""Which tracks a network learns from, and which it is judged on."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Literal

from segue.trainer.errors import DataUnusable, SplitMismatch
from segue.trainer.outputs import write_text

SHIPPED = ("fault-filtered",)
# What a split is called beside the network that was trained by it.
SAVED = "split.tsv"
TRAIN, VALID, TEST, UNUSED = SIDES = ("train", "valid", "test", "unused")

Kind = Literal["track", "chunk"]
"""What a split sorts: whole tracks, or parts of them."""


@dataclass(frozen=True)
class Split:
    """A name for the side that each track stands on.

    Attributes:
        name: what people call it.
        sides: "train", "valid", "test" or "unused", by track, or by chunk where ``kind`` is "chunk".
        kind: a split by chunks leaks, since chunks of one track stand on several sides.
    """

    name: str
    sides: Mapping[str, str]
    kind: Kind = "track"

    @property
    def leaky(self) -> bool:
        """Whether a network is judged on what it learnt from, in part."""
        return self.kind == "chunk"

    @property
    def label(self) -> str:
        """The name as every output has it: a leaky split is called leaky."""
        return f"{self.name} (LEAKY)" if self.leaky else self.name

    @property
    def digest(self) -> str:
        """The SHA-256 of the sides, in hexadecimal; the order in which they were written does not matter."""
        lines = "".join(f"{track}\t{side}\n" for track, side in sorted(self.sides.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def side(self, track: str) -> str:
        """The side of a track; "unused" for one that the split does not know."""
        return self.sides.get(track, UNUSED)

    def save(self, path: Path) -> None:
        """Writes the tracks and their sides, with name and digest, as a table that ``load_split`` reads."""
        head = f"# name {self.name}\n# digest {self.digest}\n"
        lines = "".join(f"{track}\t{side}\n" for track, side in sorted(self.sides.items()))
        write_text(path, f"{head}{self.kind}\tsplit\n{lines}")


def shipped_split(name: str) -> Split:
    """A split that comes with the trainer.

    ``fault-filtered`` is GTZAN without its faults, no artist on two sides but a handful: 443, 197 and 290 tracks
    (Kereliuk, Sturm and Larsen 2015).

    Raises:
        SplitMismatch: there is none of that name, or it has a track, or one of the known duplicates, on two sides.
    """
    if name not in SHIPPED:
        raise SplitMismatch(f"There is no split {name!r}. Choose one of: {', '.join(SHIPPED)}.")
    split = Split(name, {row["track"]: row["split"] for row in _rows(f"{name}.tsv")})
    check_duplicates(split)
    return split


def load_split(name: str) -> Split:
    """A split by the name of one that is shipped, or by the path of a saved one.

    Raises:
        SplitMismatch: there is none, it is damaged, or a track, or one of the known duplicates, stands on two sides.
    """
    path = Path(name)
    if path.suffix != ".tsv":
        return shipped_split(name)
    try:
        text = path.read_text(encoding="utf-8-sig")  # a spreadsheet begins its files with a mark
        split = _read(text, path)
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise SplitMismatch(
            f"{path} is not a split: {error}. It needs the columns track and split, or chunk and split."
        ) from error
    if not split.sides:
        raise SplitMismatch(f"{path} is not a split: it has no tracks. It needs the columns track and split.")
    unknown = sorted({str(side) for side in split.sides.values()} - set(SIDES))
    if unknown:
        raise SplitMismatch(f"{path} has a side {unknown[0]!r}; a side is one of: {', '.join(SIDES)}.")
    digest = _head(text).get("digest", split.digest)
    if digest != split.digest:
        raise SplitMismatch(
            f"{path} was changed: its sides have the digest {split.digest[:16]}, not {digest[:16]} as it says. "
            "Save the split again, or take out the line with the digest."
        )
    check_duplicates(split)
    return split


def check_duplicates(split: Split) -> None:
    """Refuses a split in which a recording stands on two sides.

    Raises:
        SplitMismatch: one of GTZAN's known duplicates stands on two sides, and the split does not say that it leaks.
    """
    if split.leaky:
        return
    for track, duplicate in known_duplicates():
        sides = {split.side(track), split.side(duplicate)} - {UNUSED}
        if len(sides) > 1:
            raise SplitMismatch(
                f"The split {split.name!r} leaks: {track} and {duplicate} are the same recording and stand on two "
                "sides. Put both on one side, or leave one out."
            )


def check_names(names: Iterable[str]) -> None:
    """Refuses names that would break the table of a saved split: that of a file may hold anything.

    Raises:
        DataUnusable: a name holds a tab, an end of line, spaces around it or what is no text, or is empty.
    """
    for name in names:
        if "\t" in name or name.splitlines() != [name] or name != name.strip() or _is_no_text(name):
            raise DataUnusable(
                f"The name {name!a} is empty, or holds a tab, an end of line, spaces around it or what is no text, and "
                "a split is a table of names. Rename the file."
            )


def _is_no_text(name: str) -> bool:
    """Whether a name holds bytes that are not UTF-8, which Python keeps as lone surrogates."""
    return any("\ud800" <= letter <= "\udfff" for letter in name)


@lru_cache(maxsize=1)
def known_duplicates() -> tuple[tuple[str, str], ...]:
    """The pairs of GTZAN's tracks that are the same recording, bit for bit (Sturm 2013)."""
    return tuple((row["track"], row["duplicate"]) for row in _rows("duplicates.tsv"))


@lru_cache(maxsize=1)
def gtzan_artists() -> Mapping[str, str]:
    """The artist of each track of GTZAN (Sturm's index); empty where nobody knows."""
    return {row["track"]: row["artist"] for row in _rows("fault-filtered.tsv")}


def _rows(name: str) -> list[dict[str, str]]:
    return _parse((files("segue.trainer") / "splits" / name).read_text(encoding="utf-8"), name)


def _plain(row: Mapping[str | None, str | None]) -> dict[str, str]:
    """A row without the spaces that surround its cells, which nobody sees."""
    return {(name or "").strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}


def _read(text: str, path: Path) -> Split:
    rows = _parse(text, str(path))
    kind: Kind = "chunk" if rows and "chunk" in rows[0] else "track"
    return Split(_head(text).get("name", path.stem), {row[kind]: row["split"] for row in rows}, kind)


def _head(text: str) -> dict[str, str]:
    """What a saved split says of itself, by its first word."""
    lines = (line[1:].split(maxsplit=1) for line in takewhile(_is_remark, text.splitlines()))
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _is_remark(line: str) -> bool:
    return line.startswith("#")


def _parse(text: str, name: str) -> list[dict[str, str]]:
    lines = [line for line in dropwhile(_is_remark, text.splitlines()) if line.strip()]
    rows = [_plain(row) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    seen: set[str] = set()
    for row in rows:
        track = row["chunk" if "chunk" in row else "track"]
        if track in seen:
            raise SplitMismatch(f"{name} names the track {track} twice. Remove one of its lines.")
        seen.add(track)
    return rows
