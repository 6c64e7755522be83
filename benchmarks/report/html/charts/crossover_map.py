"""Which architecture wins over direct's speed and price, and where this run stands: what a report alone can tell.

The lines are the report's break-evens, and a field's winner is that of the written rule (`benchmarks/verdict.py`) with
what the field says of cost and p99. Nothing is played again: how the two move together, and with other quantities, is
for `crossover sweep`. The words and the table are in `break_evens.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, Final

from benchmarks import verdict
from benchmarks.report.html.charts import break_evens
from benchmarks.report.html.svg import Scale, axis, element, figure, text, width_of
from benchmarks.verdict import Difference, Evidence, Side

ID: Final = "chart-crossover-map"
WIDE, HIGH, LEFT, TOP, RIGHT, BOTTOM = 620, 438, 66, 66, 612, 400
ROOM: Final = 12.0
"""How many times an axis reaches beyond the break-even and the run's own place."""
WINNERS: Final = {"migrate": "direct wins", "keep": "legacy wins", "undecided": "undecided"}
COLOURS: Final = {"migrate": "c-direct", "keep": "c-legacy"}
SIGNS: Final[Mapping[Side, Difference]] = {
    "lower": Difference(-1.0), "higher": Difference(1.0), "alike": Difference(0.0, -1.0, 1.0),
    "unknown": Difference(None),
}  # fmt: skip
COSTS: Final[Mapping[Side, str]] = {
    "lower": "direct cheaper", "higher": "direct dearer", "alike": "costs alike", "unknown": "cost not known",
}  # fmt: skip
TAILS: Final[Mapping[Side, str]] = {
    "lower": "direct faster", "higher": "direct slower", "alike": "p99 not told apart", "unknown": "p99 not known",
}  # fmt: skip
words = break_evens.words


@dataclass(frozen=True, slots=True)
class Field:
    """A stretch of an axis, and what it says of direct less legacy there."""

    low: float
    high: float
    side: Side


@dataclass(frozen=True, slots=True)
class Line:
    """One break-even as an axis: its fields in order, its value, and the run's own place.

    Both are None where they are not known, the value also where direct is better, or worse, throughout.
    """

    fields: Sequence[Field]
    value: float | None
    now: float | None


def chart(report: Mapping[str, Any]) -> str | None:
    """The map; None where neither break-even is known."""
    price, speed = break_evens.price(report), report["cost"]["break_even"]["speed"]
    if price["state"] == speed["state"] == "unknown input":
        return None
    across, down = _line(speed), _line(price)
    x = Scale((across.fields[0].low, across.fields[-1].high), (LEFT, RIGHT), log=True)
    y = Scale((down.fields[0].low, down.fields[-1].high), (BOTTOM, TOP), log=True)
    decided = report["quality"]["questions_like_these"]["difference"]
    fields = [_field(decided, p99, cost, x, y) for p99 in across.fields for cost in down.fields]
    body = [area for area, _ in fields]
    body += [axis(x, TOP, BOTTOM, "direct's speed, times what it is now (log)"), *_up(y), *_evens(across, down, x, y)]
    body += [*(told for _, told in fields), _place(across, down, x, y, claimed=price["claimed"])]
    title, table = "Which architecture wins, and where this run stands", break_evens.table(report)
    return figure(ID, title, words(report), "".join(body), WIDE, HIGH, table)


def _line(entry: Mapping[str, Any]) -> Line:
    """The axis of a break-even, from well below to well above what is known of it, cut where the answer changes."""
    value, now = entry["value"], entry["now"]
    known = [each for each in (value, now) if each] or [1.0]
    start, end = min(known) / ROOM, max(known) * ROOM
    now = None if now is None else max(now, start)  # what is free stands at the end, for no log axis reaches 0
    if not value:
        every: dict[str, Side] = {"already past": "lower", "never": "higher"}
        return Line([Field(start, end, every.get(entry["state"], "unknown"))], None, now)
    low, high = entry["low"], entry["high"]
    if low is None and high is None and not entry["reason"]:
        low = high = value  # exact; with a reason there is no interval because nothing is certain
    ends = start, max(start, min(low or start, value)), value, min(end, max(high or end, value)), end
    sides: list[Side] = ["lower", "alike", "alike", "higher"]
    if entry["wins"] == "above":
        sides.reverse()
    cut = zip(pairwise(ends), sides, strict=True)
    return Line([Field(first, last, side) for (first, last), side in cut if first < last], value, now)


def _field(quality: Mapping[str, Any] | None, p99: Field, cost: Field, x: Scale, y: Scale) -> tuple[str, str]:
    """One field in its winner's colour, and apart, where there is room, the winner and what it says of cost and p99."""
    worse = quality is not None and quality["word"] == "worse"
    word = verdict.decide(Evidence(quality, worse, SIGNS[cost.side], SIGNS[p99.side])).word
    left, top, wide = x(p99.low), y(cost.high), x(p99.high) - x(p99.low)
    lines = [WINNERS[word], COSTS[cost.side], TAILS[p99.side]]
    area = {"x": left, "y": top, "width": wide, "height": y(cost.low) - top}
    tinted = element("rect", class_=COLOURS.get(word, "c-neutral"), fill_opacity="0.16", **area)
    framed = element("rect", class_="frame dashed", fill="none", **area)
    there = area["height"] >= 62 and wide >= 8 + max(map(width_of, lines))
    told = [
        text(left + 8, top + 20 + 17 * number, line, class_=None if number else "t-bold")
        for number, line in enumerate(lines if there else ())
    ]
    return element("g", element("title", escape(", ".join(lines))), tinted, framed), "".join(told)


def _up(y: Scale) -> Iterator[str]:
    yield text(0, 14, "up: direct's price, US dollars per million tokens, in and out alike (log)", class_="t-muted")
    for value, label in y.ticks():
        yield text(LEFT - 8, y(value) + 4, label, class_="t-muted", text_anchor="end")


def _evens(across: Line, down: Line, x: Scale, y: Scale) -> Iterator[str]:
    """The break-evens themselves, each with its name at its end."""
    if across.value:
        at = x(across.value)
        yield element("line", class_="s-ink", x1=at, x2=at, y1=float(TOP), y2=float(BOTTOM))
        yield text(at, TOP - 5, "p99 alike", text_anchor="middle")
    if down.value:
        at = y(down.value)
        yield element("line", class_="s-ink", x1=float(LEFT), x2=float(RIGHT), y1=at, y2=at)
        above = min([at, *(y(each.high) for each in down.fields if each.side == "alike")])
        yield text(RIGHT - 4, above - 5, "cost alike", text_anchor="end")


def _place(across: Line, down: Line, x: Scale, y: Scale, *, claimed: bool) -> str:
    """Where this run stands, named above the map: a point, or a line where one of the two is not known."""
    if across.now and down.now:
        told = "this run, at the price that the vendor's claim leads to" if claimed else "this run"
        shape = {"class_": "s-ink hollow" if claimed else "c-ink", "r": 6}
        return (
            element("circle", cx=x(across.now), cy=y(down.now), **shape)
            + element("circle", cx=LEFT + 6, cy=32, **shape)
            + text(LEFT + 18, 36, told)
        )
    if across.now:
        ends, dark = {"x1": x(across.now), "x2": x(across.now), "y1": float(TOP), "y2": float(BOTTOM)}, "price"
    elif down.now:
        ends, dark = {"x1": float(LEFT), "x2": float(RIGHT), "y1": y(down.now), "y2": y(down.now)}, "speed"
    else:
        return text(LEFT, 36, "where this run stands is not known")
    line = element("line", class_="s-direct", stroke_width=3, stroke_dasharray="8 4", **ends)
    key = element(
        "line", class_="s-direct", stroke_width=3, stroke_dasharray="8 4", x1=LEFT, x2=LEFT + 28, y1=32, y2=32
    )
    return line + key + text(LEFT + 34, 36, f"this run; direct's {dark} is not known")
