"""The hardware this project knows by name: what is known of each, who says so, and what nobody has published.

The data is in `catalogue.toml` beside this file; users add files of the same form. An entry serves one model. A figure
is a number with its standing, source and date, or `unknown`, and unknown stays None. What a run needs and nobody knows
is an assumption: a number with a range and a reason, shipped in `assumptions.toml` or written in a scenario. It never
takes the place of a known figure. How long an answer takes is in `pace.py`, prices are in `shared/pricing.py`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

FigureStanding = Literal["vendor-claimed", "independent", "list price", "assumed", "unknown"]
"""Who says so: whoever sells it, somebody else who measured it, a published price, nobody (a stated guess), nobody."""

Date = Annotated[str, Field(pattern=r"^(\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$")]
HERE: Final = Path(__file__).parent
SHIPPED: Final = HERE / "catalogue.toml"


@dataclass(frozen=True, slots=True)
class Unit:
    """What one figure is. `least` is its smallest possible value; `whole` says that it counts something."""

    unit: str
    meaning: str
    least: float = 0.0
    whole: bool = False


FIGURES: Final[Mapping[str, Unit]] = {
    "first_token_s": Unit("s", "from the request to the first token of one request alone"),
    "prompt_token_s": Unit("s", "what each token of the prompt adds to that"),
    "tok_s": Unit("tokens/s", "pace of one user's answer after its first token", 1e-3),
    "capacity": Unit("requests", "requests served at once, each at about that pace", 1, whole=True),
    "throughput_tok_s": Unit("tokens/s", "output tokens of the whole deployment, kept full", 1e-3),
    "in_flight": Unit("requests", "most requests it accepts, running and waiting", 1, whole=True),
    "context_tokens": Unit("tokens", "longest prompt it answers", 1, whole=True),
    "input_usd_per_mtok": Unit("US dollars", "per million prompt tokens"),
    "output_usd_per_mtok": Unit("US dollars", "per million output tokens"),
    "rent_usd_per_hour": Unit("US dollars", "per hour of the whole deployment"),
    "watts": Unit("W", "power of the accelerators of the whole deployment"),
}
"""Every figure that an entry has, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one entry; `value` is None exactly where `standing` is "unknown".

    `low` and `high` bound an assumed value. `prompt_tokens` belongs to `first_token_s` alone: the length of the prompt
    that it was measured with, where that is known.
    """

    value: float | None
    standing: FigureStanding
    source: str = ""
    date: str = ""
    low: float | None = None
    high: float | None = None
    prompt_tokens: int | None = None


UNKNOWN: Final = Figure(None, "unknown")


@dataclass(frozen=True, slots=True)
class Hardware:
    """One deployment that serves one model. `figures` has every key of `FIGURES`.

    `beyond_context` is what it does with a longer prompt: an error, or, as was seen, an empty answer and no error.
    """

    id: str
    name: str
    model: str
    weights: str
    beyond_context: Literal["refuse", "empty"]
    figures: Mapping[str, Figure] = field(repr=False)

    def value(self, figure: str) -> float | None:
        """The number, known or assumed, in the unit of `FIGURES`; None where it is unknown."""
        return self.figures[figure].value

    def with_assumed(self, assumptions: Mapping[str, Figure]) -> Hardware:
        """The same with these figures assumed. Raises `BadInput` for one that is known, or cannot be."""
        for name, figure in assumptions.items():
            if name not in FIGURES:
                raise BadInput(f"assumption for {self.id}: there is no figure {name!r}{_nearest(name, FIGURES)}")
            known = self.figures[name]
            if known.standing not in ("unknown", "assumed"):
                raise BadInput(
                    f"assumption for {self.id}: {name} is known, {known.value:g} ({known.standing}, {known.source}, "
                    f"{known.date}); leave the assumption out, or add an entry of your own with another number"
                )
            try:
                _checked(name, figure)
            except ValueError as error:
                raise BadInput(f"assumption for {self.id}: {name}: {error}") from None
        return dataclasses.replace(self, figures={**self.figures, **assumptions})

    def with_shipped(self) -> Hardware:
        """The same with what this repo assumes for the figures that are still unknown."""
        shipped = assumptions().get(self.id, {})
        return self.with_assumed({name: each for name, each in shipped.items() if self.value(name) is None})


def catalogue(*files: Path) -> Mapping[str, Hardware]:
    """Every entry by id: the shipped ones, then those of `files`, in their order.

    Raises `BadInput` naming file, entry and figure where something is wrong, and where an id is taken already.
    """
    known = dict(_shipped())
    for file in files:
        for id_, hardware in _read(file).items():
            if id_ in known:
                whose = "in the shipped catalogue" if id_ in _shipped() else "in a file given before"
                raise BadInput(f"{file}: [{id_}] is {whose} already; give it another name")
            known[id_] = hardware
    return known


def find(id: str, *files: Path) -> Hardware:  # noqa: A002 - it is the field's name
    """The entry of that id. Raises `BadInput` with the nearest ids."""
    known = catalogue(*files)
    if id not in known:
        raise BadInput(f"hardware {id!r} is unknown{_nearest(id, known)} Known are {', '.join(known)}")
    return known[id]


@functools.cache
def assumptions() -> Mapping[str, Mapping[str, Figure]]:
    """The shipped assumptions, by id of the hardware and then by figure; none for entries that need none."""
    file = HERE / "assumptions.toml"
    entries = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        id_: {name: Assumption.model_validate(entry).figure() for name, entry in figures.items()}
        for id_, figures in entries.items()
    }


def _checked(name: str, figure: Figure) -> Figure:
    """The same figure. Raises `ValueError` where its numbers cannot be those of `name`."""
    unit = FIGURES[name]
    for number in (figure.value, figure.low, figure.high):
        if number is None:
            continue
        if not unit.least <= number < math.inf:  # nor is NaN
            raise ValueError(f"{number:g} will not do; {unit.unit} of at least {unit.least:g} are needed")
        if unit.whole and number != int(number):
            raise ValueError(f"{number:g} is no whole number of {unit.unit}")
    if figure.prompt_tokens is not None and name != "first_token_s":
        raise ValueError("prompt_tokens belongs to first_token_s only; leave it out")
    return figure


class _Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    value: float
    low: float | None = None
    high: float | None = None
    prompt_tokens: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _within(self) -> Self:
        low, high = self.low, self.high
        if (low is None) != (high is None):
            raise ValueError("low and high come together; write both or neither")
        if low is not None and high is not None:
            if low > high:
                raise ValueError(f"low {low:g} is above high {high:g}; swap them")
            if not low <= self.value <= high:
                raise ValueError(f"value {self.value:g} is outside {low:g} to {high:g}; widen the range")
        return self


class Assumption(_Numbers):
    """A stated guess: `{ value = 64, low = 16, high = 256, why = "..." }`, in the unit of the figure it stands for."""

    why: str = Field(min_length=1)

    def figure(self) -> Figure:
        """The same as a figure with the standing "assumed"."""
        return Figure(self.value, "assumed", self.why, "", self.low, self.high, self.prompt_tokens)


class _Known(_Numbers):
    standing: FigureStanding
    source: str = Field(min_length=1)
    date: Date = ""

    @model_validator(mode="after")
    def _stated(self) -> Self:
        if self.standing == "unknown":
            raise ValueError('a number has a standing; write value = "unknown" and no standing where nobody knows')
        if self.standing != "assumed" and not self.date:
            raise ValueError('date is missing; write the month of the source, as in date = "2026-11"')
        if self.standing != "assumed" and self.low is not None:
            raise ValueError('low and high are for standing = "assumed" only; leave them out')
        return self

    def figure(self) -> Figure:
        return Figure(self.value, self.standing, self.source, self.date, self.low, self.high, self.prompt_tokens)


class _Unknown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    value: Literal["unknown"]
    source: str = ""
    date: Date = ""

    def figure(self) -> Figure:
        return Figure(None, "unknown", self.source, self.date)


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1)
    model: str = Field(min_length=1)
    weights: str = Field(min_length=1)
    beyond_context: Literal["refuse", "empty"]


@functools.cache
def _shipped() -> Mapping[str, Hardware]:
    return _read(SHIPPED)


def _read(file: Path) -> Mapping[str, Hardware]:
    try:
        entries = tomllib.loads(contents(file, SETTINGS_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"{file} is missing; docs/hardware.md shows what is in one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file}: not TOML in UTF-8 ({error})") from None
    if not entries:
        raise BadInput(f"{file} has no entry; docs/hardware.md shows one")
    return {id_: _hardware(f"{file}: [{id_}]", id_, entry) for id_, entry in entries.items()}


def _hardware(where: str, id_: str, entry: object) -> Hardware:
    if not isinstance(entry, dict):
        raise BadInput(f"{where} is no table; write the entry's id in brackets and its keys below")
    if wrong := next((key for key in entry if key not in FIGURES and key not in _Head.model_fields), None):
        near = _nearest(wrong, [*FIGURES, *_Head.model_fields]) or "; leave it out: docs/hardware.md shows an entry"
        raise BadInput(f"{where} {wrong}: this key is unknown{near}")
    if absent := next((name for name in FIGURES if name not in entry), None):
        raise BadInput(f'{where} {absent} is missing; write {absent} = "unknown" if nobody has published it')
    try:
        head = _Head.model_validate({key: value for key, value in entry.items() if key not in FIGURES})
    except ValidationError as error:
        raise BadInput(f"{where} {_explain(error)}") from None
    figures = {name: _figure(f"{where} {name}", name, entry[name]) for name in FIGURES}
    return Hardware(id_, head.name, head.model, head.weights, head.beyond_context, figures)


def _figure(where: str, name: str, value: object) -> Figure:
    if value == "unknown":
        return UNKNOWN
    if not isinstance(value, dict):
        remedy = '{ value = ..., standing = "...", source = "...", date = "2026-11" }'
        raise BadInput(f'{where}: write "unknown" or {remedy}; a bare number has no source')
    kind: type[_Unknown | _Known] = _Unknown if value.get("value") == "unknown" else _Known
    try:
        return _checked(name, kind.model_validate(value).figure())
    except ValidationError as error:
        raise BadInput(f"{where} {_explain(error)}") from None
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from None


def _explain(error: ValidationError) -> str:
    """What pydantic found first, with its key and in this project's words."""
    found: ErrorDetails = next(
        (each for each in error.errors() if each["type"] == "extra_forbidden"), error.errors()[0]
    )
    key = ".".join(map(str, found["loc"]))
    said = {
        "extra_forbidden": "this key is unknown; leave it out",
        "missing": "this key is missing",
        "string_pattern_mismatch": 'this is no date; write "2026-11" or "2026-11-25"',
        "float_type": 'a number or "unknown" is needed',
        "finite_number": "a finite number is needed",
        "literal_error": f"use one of {found.get('ctx', {}).get('expected', '')}",
    }.get(found["type"], found["msg"].removeprefix("Value error, "))
    return f"{key}: {said}" if key else said


def _nearest(wrong: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, list(known), 3)
    return f"; did you mean {' or '.join(near)}?" if near else "."
