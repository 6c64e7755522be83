"""The axes of a map: what is swept, over which values, and which simulations a value touches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from benchmarks.toml_source import nearest
from shared.errors import BadInput

Scale = Literal["log", "lin"]
DEFAULT_VALUES: Final = 13
MOST_VALUES: Final = 200
FORM: Final = "write name=low:high:log or name=low:high:lin, and :N after it for N values"


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be swept. `changes` names the arms that answer differently: none where only the reckoning changes.

    Values lie in `low`..`high`; `low` itself only where `includes_low`.
    """

    title: str
    changes: frozenset[str] = frozenset()
    low: float = 0.0
    high: float = 1e12
    includes_low: bool = False


BOTH: Final = frozenset({"legacy", "direct"})
KINDS: Final[Mapping[str, Kind]] = {
    "speedup": Kind("direct's pace and first token, times the small model's hardware", frozenset({"direct"})),
    "price": Kind("price of direct, US dollars per million tokens", includes_low=True),
    "repeat_share": Kind("share of requests that repeat an earlier one", BOTH, high=0.99, includes_low=True),
    "rate": Kind("requests a second", BOTH),
    "volume": Kind("requests a month"),
    "engineering_rate": Kind("an engineer's hour, US dollars", includes_low=True),
    "wrong_answer_usd": Kind("a wrong answer, US dollars", includes_low=True),
    "small_price": Kind("price of the small model, US dollars per million tokens", includes_low=True),
    "large_price": Kind("price of the large model, US dollars per million tokens", includes_low=True),
}


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its name, its scale and its values from low to high, as they are written to nine digits."""

    name: str
    scale: Scale
    values: tuple[float, ...]

    @property
    def title(self) -> str:
        return KINDS[self.name].title

    def document(self) -> dict[str, object]:
        return {"name": self.name, "title": self.title, "scale": self.scale, "values": list(self.values)}


def parse(text: str, option: str) -> Axis:
    """The axis that `--x` or `--y` (`option`) describes. Raises `BadInput` saying what is wrong with it."""
    name, _, rest = text.partition("=")
    if name not in KINDS:
        raise BadInput(f"{option}: axis {name!r} is unknown{nearest(name, KINDS)}; use one of {', '.join(KINDS)}")
    parts = rest.split(":")
    if not 3 <= len(parts) <= 4 or parts[2] not in ("log", "lin"):
        raise BadInput(f"{option}: {text!r} is no axis; {FORM}")
    try:
        low, high = float(parts[0]), float(parts[1])
        count = int(parts[3]) if len(parts) == 4 else DEFAULT_VALUES
    except ValueError:
        raise BadInput(f"{option}: {text!r} holds something that is no number; {FORM}") from None
    scale: Scale = "log" if parts[2] == "log" else "lin"
    _check(option, name, low, high, count, scale)
    ends = (math.log(low), math.log(high)) if scale == "log" else (low, high)
    inner = [ends[0] + (ends[1] - ends[0]) * step / (count - 1) for step in range(1, count - 1)]
    values = (low, *(math.exp(each) if scale == "log" else each for each in inner), high)
    rounded = tuple(float(f"{each:.9g}") for each in values)
    if any(before >= after for before, after in pairwise(rounded)):
        raise BadInput(f"{option}: {count} values do not fit between {low:g} and {high:g} to nine digits; ask for less")
    return Axis(name, scale, rounded)


def _check(option: str, name: str, low: float, high: float, count: int, scale: Scale) -> None:
    kind = KINDS[name]
    for value in (low, high):
        if not kind.low <= value <= kind.high or (value == kind.low and not kind.includes_low):
            least = f"{kind.low:g} or more" if kind.includes_low else f"above {kind.low:g}"
            raise BadInput(f"{option}: {name} is {value:g}; it must be {least} and at most {kind.high:g}")
    if low >= high:
        raise BadInput(f"{option}: {name} runs from {low:g} to {high:g}; the first must be the smaller one")
    if scale == "log" and low == 0:
        raise BadInput(f"{option}: a log scale has no 0; begin above it, or write lin")
    if not 2 <= count <= MOST_VALUES:
        raise BadInput(f"{option}: {count} values; an axis has 2 to {MOST_VALUES}")


def check_pair(x: Axis, y: Axis) -> None:
    """Raises `BadInput` where both axes are the same."""
    if x.name == y.name:
        raise BadInput(f"--x and --y are both {x.name}; a map needs two different axes")
