"""The options of `segue recommend` that choose among similar tracks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from segue.v1.recommendation_service_pb2 import TrackExclusion, TrackFilter, Variety

_Command = TypeVar("_Command", bound=Callable[..., Any])
_YEARS = re.compile(r"(\d{1,4})?(-)?(\d{1,4})?")


class Criteria(NamedTuple):
    """The chosen conditions.

    Attributes:
        track_filter: the tracks that may be recommended, or None for all.
        variety: how much the tracks differ.
    """

    track_filter: TrackFilter | None
    variety: Variety


class _YearsType(click.ParamType):  # type: ignore[type-arg] # generic in its types alone
    """A year, or a range of years, either end of which may be missing."""

    name = "years"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:  # noqa: ANN401 - click's own signature
        """Returns the fields of a filter."""
        match = _YEARS.fullmatch(str(value))
        first, dash, last = match.groups() if match else (None, None, None)
        if not (first or last) or (last and not dash):
            self.fail(f"{value!r} is neither a year nor a range such as 1990-1999, 1990- or -1999.", param, ctx)
        years = {"min_year": first, "max_year": last if dash else first}
        return {name: int(year) for name, year in years.items() if year}


_LISTS = {
    "genres": ("--genre", "NAME", "Only tracks whose predicted genre is NAME"),
    "artists": ("--artist", "NAME", "Only tracks by NAME"),
    "albums": ("--album", "TITLE", "Only tracks of the album TITLE"),
    "folders": ("--folder", "FOLDER", "Only tracks in FOLDER, or below"),
}
_EXCLUDED = {
    "genres": ("--not-genre", "NAME", "No tracks whose predicted genre is NAME"),
    "artists": ("--not-artist", "NAME", "No tracks by NAME"),
    "albums": ("--not-album", "TITLE", "No tracks of the album TITLE"),
    "folders": ("--not-folder", "FOLDER", "No tracks in FOLDER, or below"),
}
_AGAIN = "; can be given several times."
_OPTIONS = (
    *(
        click.option(name, field, multiple=True, metavar=metavar, help=text + _AGAIN)
        for field, (name, metavar, text) in _LISTS.items()
    ),
    *(
        click.option(name, f"not_{field}", multiple=True, metavar=metavar, help=text + _AGAIN)
        for field, (name, metavar, text) in _EXCLUDED.items()
    ),
    click.option("--years", type=_YearsType(), metavar="RANGE", help="Only tracks of these years, such as 1990-1999."),
    click.option(
        "--min-similarity", type=click.FloatRange(-1, 1), metavar="X", help="Only tracks at least so similar, -1 to 1."
    ),
    click.option(
        "--per-artist",
        type=click.IntRange(0, 100),
        metavar="N",
        help="Largest number of tracks by one artist; 0 is no limit.  [default: 2]",
    ),
    click.option(
        "--per-album",
        type=click.IntRange(0, 100),
        metavar="N",
        help="Largest number of tracks of one album; 0 is no limit.  [default: 0]",
    ),
    click.option(
        "--diversity",
        type=click.FloatRange(0, 0.99),
        metavar="X",
        help="How much the tracks must differ from each other, 0 to 0.99.  [default: 0]",
    ),
)


def criteria_options(command: _Command) -> Callable[..., Any]:
    """Declares ``criteria``, a ``Criteria``."""

    @wraps(command)
    def with_criteria(*arguments: Any, **values: Any) -> Any:  # noqa: ANN401 - any command's own
        lists = {name: values.pop(name) for name in _LISTS}
        excluded = {name: values.pop(f"not_{name}") for name in _EXCLUDED}
        years, min_similarity = values.pop("years") or {}, values.pop("min_similarity")
        variety = Variety(
            max_per_artist=values.pop("per_artist"),
            max_per_album=values.pop("per_album"),
            diversity=values.pop("diversity"),
        )
        wanted = _filter(lists, excluded, years, min_similarity)
        return command(*arguments, criteria=Criteria(wanted, variety), **values)

    return reduce(lambda declared, option: option(declared), reversed(_OPTIONS), with_criteria)


def _filter(
    lists: dict[str, tuple[str, ...]],
    excluded: dict[str, tuple[str, ...]],
    years: dict[str, int],
    min_similarity: float | None,
) -> TrackFilter | None:
    if not (any(lists.values()) or any(excluded.values()) or years or min_similarity is not None):
        return None
    for folders in (lists, excluded):
        folders["folders"] = tuple(str(Path(folder).absolute()) for folder in folders["folders"])
    exclude = TrackExclusion(**excluded) if any(excluded.values()) else None
    return TrackFilter(**lists, **years, min_similarity=min_similarity, exclude=exclude)  # type: ignore[arg-type] # fields
