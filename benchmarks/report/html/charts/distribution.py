"""One distribution of seconds as a row: a hill over a log axis, with its percentiles marked. `latency.py` draws it.

A hill is high where many answers lie, each scaled to its own highest place; few answers are drawn one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.report.html.svg import Scale, element, text, width_of
from benchmarks.report.terminal import seconds_text

ROW, HILL, BASE = 62, 34, 44
"""Pixels: of a row, of its hill, and from its top to the line that the hill stands on."""
BINS: Final = 60
FEW: Final = 20
SHAPES: Final = {"p50": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z", "p95": "M-4 -4H4V4H-4Z", "p99": "M0 -6L6 4H-6Z"}
LEAST_MS: Final = 1e-3
"""A log axis has no 0: what took less is drawn here."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a row shows, in seconds. `name` is an arm, or an arm, a comma and how its answers came.

    `notes` are their count, what they ran on and how their times came to be. `values` are the percentiles, None where
    the sample does not support them; `ends` their intervals, likewise.
    """

    name: str
    colour: str
    notes: Sequence[str]
    seconds: Sequence[float]
    values: Mapping[str, float | None]
    ends: Mapping[str, Sequence[float] | None]

    @property
    def ms(self) -> list[float]:
        """As they are drawn."""
        return [max(1e3 * each, LEAST_MS) for each in self.seconds]


def row(scale: Scale, top: float, line: Line) -> Iterator[str]:
    """The label on the left, the hill on its line, the marks on it and two figures below it."""
    base, (arm, _, way) = top + BASE, line.name.partition(", ")
    yield text(0, top + 16, way or arm, font_weight=None if way else 600)
    for number, note in enumerate(line.notes):
        yield text(0, top + 30 + 13 * number, note, class_="t-muted t-small")
    yield element("line", class_="axis", x1=scale.start_px, x2=scale.end_px, y1=base, y2=base)
    xs = [scale(each) for each in line.ms]
    if len(xs) < FEW:
        yield "".join(element("line", class_="s-ink", x1=x, x2=x, y1=base - HILL / 2, y2=base) for x in xs)
    else:
        yield element("path", class_=line.colour, d=_hill(xs, scale, base), fill_opacity="0.45")
    known = {name: 1e3 * value for name, value in line.values.items() if value}
    for name, value in known.items():
        if ends := line.ends[name]:
            low, high = (scale(1e3 * end) for end in ends)
            yield element("line", class_="s-ink", stroke_width=3, x1=low, x2=high, y1=base, y2=base)
        yield mark(name, scale(value), base)
    yield from _figures(scale, base + 14, list(known.values()))


def mark(name: str, x: float, y: float) -> str:
    """The shape of a percentile."""
    return element("path", class_="c-ink s-paper", d=SHAPES[name], transform=f"translate({x:.2f} {y:g})")


def _hill(xs: Sequence[float], scale: Scale, base: float) -> str:
    """A stepped outline of how many lie in each of `BINS` equal stretches."""
    wide = (scale.end_px - scale.start_px) / BINS
    counts = [0] * BINS
    for x in xs:
        counts[min(max(math.floor((x - scale.start_px) / wide), 0), BINS - 1)] += 1
    steps = (f"V{base - HILL * count / max(counts):.1f}h{wide:.2f}" for count in counts)
    return f"M{scale.start_px:g} {base:g}{''.join(steps)}V{base:g}Z"


def _figures(scale: Scale, y: float, known_ms: Sequence[float]) -> Iterator[str]:
    """The median and the last percentile that is known, each below its mark; one where there is no room for two."""
    end = scale.start_px
    for told, value in {seconds_text(each / 1e3): each for each in (*known_ms[:1], *known_ms[-1:])}.items():
        wide = width_of(told)
        x = min(max(scale(value) - wide / 2, end), scale.end_px - wide)
        if x >= end:
            yield text(x, y, told, class_="t-small")
        end = x + wide + 6
