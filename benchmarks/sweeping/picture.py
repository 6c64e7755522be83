"""The map as a picture: SVG for a page, letters for a terminal. One layer of it at a time.

The colours are CSS variables with a light and a dark set, and every cell that has room carries its letter, so that
nothing rests on colour alone. Ticks on a log axis stand at 1, 2 and 5 of each decade.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Any, Final, Literal

from benchmarks.sweeping.axes import Axis

Layer = Literal["verdict", "cost", "p99"]
LAYERS: Final[Mapping[Layer, str]] = {
    "verdict": "which architecture wins: quality first, then cost per acceptable decision, then p99",
    "cost": "which architecture costs less per acceptable decision, whatever its quality",
    "p99": "which architecture is faster at p99, whatever its quality",
}
LETTERS: Final = {"legacy": "L", "direct": "D", "undecided": "?", "unknown": "."}
LABELS: Final = {"legacy": "legacy", "direct": "direct", "undecided": "undecided", "unknown": "not known"}

REASONS: Final = 3
"""So many reasons stand under the letters; the map's file has each cell's own."""

LEFT, TOP, WIDE, HIGH, RIGHT, BOTTOM = 92.0, 78.0, 600.0, 400.0, 24.0, 112.0
STYLE: Final = """
.crossover-map{--paper:#ffffff;--ink:#1c1e21;--faint:#6a7077;--legacy:#e8a33d;--direct:#3b82c4;--undecided:#c9cdd2;
--unknown:#f3f4f5;--letter:#1c1e21;font:13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.crossover-map{--paper:#16181b;--ink:#e8eaed;--faint:#9aa1a9;--legacy:#d18b22;
--direct:#5b9bd8;--undecided:#5a6068;--unknown:#24272b;--letter:#0d0e10}}
.crossover-map .paper{fill:var(--paper)}.crossover-map text{fill:var(--ink)}.crossover-map .faint{fill:var(--faint)}
.crossover-map .cell{stroke:var(--paper);stroke-width:.5}.crossover-map .letter{fill:var(--letter);font-size:11px}
.crossover-map .tick{stroke:var(--faint)}.crossover-map .legacy{fill:var(--legacy)}
.crossover-map .direct{fill:var(--direct)}.crossover-map .undecided{fill:var(--undecided)}
.crossover-map .unknown{fill:var(--unknown);stroke:var(--faint)}
"""


def word(point: Mapping[str, Any], layer: Layer) -> str:
    """What a point says on a layer: legacy, direct, undecided, or unknown where an input is not known."""
    return str(point["verdict"] if layer == "verdict" else point[layer]["winner"])


def _reason(point: Mapping[str, Any], layer: Layer) -> str:
    return str(point["reason"] if layer == "verdict" else point[layer]["reason"])


def text(x: Axis, y: Axis, points: Mapping[tuple[float, float], Mapping[str, Any]], layer: Layer) -> str:
    """The map as letters, the highest value of `y` on top, and why cells have no winner."""
    labels = [f"{value:.3g}" for value in y.values]
    wide = max(map(len, labels))
    lines = [f"{LAYERS[layer]}", f"up: {y.title}"]
    for value, label in zip(reversed(y.values), reversed(labels), strict=True):
        letters = " ".join(LETTERS[word(points[each, value], layer)] for each in x.values)
        lines.append(f"  {label:>{wide}}  {letters}")
    first, last = f"{x.values[0]:.3g}", f"{x.values[-1]:.3g}"
    lines.append(f"  {'':>{wide}}  {first}{last:>{max(2 * len(x.values) - 1 - len(first), len(last) + 1)}}")
    lines.append(f"  across: {x.title}")
    present = {word(point, layer) for point in points.values()}
    lines.append("  " + "   ".join(f"{LETTERS[each]} {LABELS[each]}" for each in LETTERS if each in present))
    return "\n".join([*lines, *_unsettled(points, layer)])


def _unsettled(points: Mapping[tuple[float, float], Mapping[str, Any]], layer: Layer) -> Iterator[str]:
    """Why cells have no winner for want of a figure, the commonest reasons first. The verdict calls those undecided."""
    open_ = ("unknown", "undecided") if layer == "verdict" else ("unknown",)
    said = [(word(point, layer), _reason(point, layer)) for point in points.values()]
    whys = Counter(each for each in said if each[0] in open_).most_common()
    for (label, why), count in whys[:REASONS]:
        yield f"  {LABELS[label]}, {count} of {len(points)}: {why}"
    if rest := sum(count for _, count in whys[REASONS:]):
        yield f"  {rest} of {len(points)} for other reasons, which are in map.json"


def svg(
    x: Axis,
    y: Axis,
    points: Mapping[tuple[float, float], Mapping[str, Any]],
    layer: Layer,
    notes: Sequence[str] = (),
) -> str:
    """The map as one SVG document. `notes` stand below it."""
    across, up = _edges(x, LEFT, LEFT + WIDE), _edges(y, TOP + HIGH, TOP)
    parts = ['<rect class="paper" width="100%" height="100%"/>', *_heading(layer)]
    for column, first in enumerate(x.values):
        for row, second in enumerate(y.values):
            parts += _cell(points[first, second], layer, x, y, across[column : column + 2], up[row : row + 2])
    parts += [*_ticks_across(x), *_ticks_up(y), *_legend(points, layer)]
    below, notes = TOP + HIGH + BOTTOM, [line for note in notes for line in wrap(note, 100)]
    parts += [
        f'<text class="faint" x="{LEFT}" y="{below + 16 * number:g}" font-size="11">{escape(note)}</text>'
        for number, note in enumerate(notes)
    ]
    wide, high = LEFT + WIDE + RIGHT, below + 16 * len(notes)
    title = f"{LAYERS[layer][0].upper()}{LAYERS[layer][1:]}"
    return (
        f'<svg class="crossover-map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" role="img" '
        f'aria-labelledby="map-title map-desc">\n<title id="map-title">{escape(title)}</title>\n'
        f'<desc id="map-desc">{escape(description(x, y, points, layer))}</desc>\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def description(x: Axis, y: Axis, points: Mapping[tuple[float, float], Mapping[str, Any]], layer: Layer) -> str:
    """The map in words, for those who cannot see it: how many cells say what, and where each begins and ends."""
    said = [f"A map of {len(points)} cells. Across: {x.title}. Up: {y.title}."]
    for each, label in LABELS.items():
        places = [place for place, point in points.items() if word(point, layer) == each]
        if places:
            spans = [
                f"{axis.name} from {min(values):.3g} to {max(values):.3g}"
                for axis, values in zip((x, y), zip(*places, strict=True), strict=True)
            ]
            said.append(f"{label[0].upper()}{label[1:]} in {len(places)}, within {' and '.join(spans)}.")
    return " ".join(said)


def _place(axis: Axis, value: float) -> float:
    return math.log(value) if axis.scale == "log" else value


def _edges(axis: Axis, start: float, end: float) -> list[float]:
    """Where cells meet: half way between two values on the axis' own scale."""
    places = [_place(axis, value) for value in axis.values]
    between = [(before + after) / 2 for before, after in pairwise(places)]
    share = [(each - places[0]) / (places[-1] - places[0]) for each in (places[0], *between, places[-1])]
    return [start + (end - start) * each for each in share]


def _at(axis: Axis, value: float, start: float, end: float) -> float:
    low, high = _place(axis, axis.values[0]), _place(axis, axis.values[-1])
    return start + (end - start) * (_place(axis, value) - low) / (high - low)


def _heading(layer: Layer) -> Iterator[str]:
    first, _, second = LAYERS[layer].partition(": ") if layer == "verdict" else LAYERS[layer].partition(", ")
    yield f'<text x="{LEFT}" y="26" font-size="16" font-weight="600">{first[0].upper()}{first[1:]}</text>'
    yield f'<text class="faint" x="{LEFT}" y="46">{second}</text>'


def _cell(
    point: Mapping[str, Any], layer: Layer, x: Axis, y: Axis, across: Sequence[float], up: Sequence[float]
) -> Iterator[str]:
    said = word(point, layer)
    wide, high = across[1] - across[0], up[0] - up[1]
    told = escape(f"{x.name} {point['x']:.3g}, {y.name} {point['y']:.3g}: {LABELS[said]}; {_reason(point, layer)}")
    yield (
        f'<rect class="cell {said}" x="{across[0]:.2f}" y="{up[1]:.2f}" width="{wide:.2f}" height="{high:.2f}">'
        f"<title>{told}</title></rect>"
    )
    if min(wide, high) >= 12:
        centre, middle = (across[0] + across[1]) / 2, (up[0] + up[1]) / 2 + 4
        yield f'<text class="letter" x="{centre:.2f}" y="{middle:.2f}" text-anchor="middle">{LETTERS[said]}</text>'


def ticks(axis: Axis) -> list[float]:
    """Round values on the axis: 1, 2 and 5 of each decade where it is logarithmic, else about six equal steps."""
    low, high = axis.values[0], axis.values[-1]
    if axis.scale == "log":
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        digits = (1, 2, 5) if len(decades) <= 5 else (1,)
        found = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
    else:
        rough = (high - low) / 6
        decade = 10.0 ** math.floor(math.log10(rough))
        step = next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= rough)
        found = [float(f"{number * step:.9g}") for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
    inside = [each for each in found if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
    return inside if len(inside) >= 2 else [low, high]


def _ticks_across(axis: Axis) -> Iterator[str]:
    below = TOP + HIGH
    for value in ticks(axis):
        at = _at(axis, value, LEFT, LEFT + WIDE)
        yield f'<line class="tick" x1="{at:.2f}" y1="{below}" x2="{at:.2f}" y2="{below + 5}"/>'
        yield f'<text x="{at:.2f}" y="{below + 19}" text-anchor="middle">{value:g}</text>'
    yield f'<text x="{LEFT + WIDE / 2}" y="{below + 42}" text-anchor="middle">{escape(axis.title)}</text>'


def _ticks_up(axis: Axis) -> Iterator[str]:
    for value in ticks(axis):
        at = _at(axis, value, TOP + HIGH, TOP)
        yield f'<line class="tick" x1="{LEFT - 5}" y1="{at:.2f}" x2="{LEFT}" y2="{at:.2f}"/>'
        yield f'<text x="{LEFT - 9}" y="{at + 4:.2f}" text-anchor="end">{value:g}</text>'
    middle = TOP + HIGH / 2
    turned = f'transform="rotate(-90 20 {middle})"'
    yield f'<text x="20" y="{middle}" text-anchor="middle" {turned}>{escape(axis.title)}</text>'


def _legend(points: Mapping[tuple[float, float], Mapping[str, Any]], layer: Layer) -> Iterator[str]:
    present = {word(point, layer) for point in points.values()}
    at, line = LEFT, TOP + HIGH + 66
    for each, label in LABELS.items():
        if each in present:
            yield f'<rect class="{each}" x="{at:g}" y="{line - 11:g}" width="14" height="14"/>'
            yield f'<text x="{at + 20:g}" y="{line:g}">{LETTERS[each]} {label}</text>'
            at += 130
