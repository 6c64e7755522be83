"""Markup by functions: elements, text, scales, marks, a figure with its table. Everything from data is escaped here.

No colour stands here: shapes name CSS classes (`c-` fills, `s-` strokes, `t-` texts) that `assets/style.css` colours in
light and dark. What the charts draw with it is in `charts/`, one file each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from benchmarks.table_text import Table

EMPTY: Final = frozenset(
    {"br", "circle", "ellipse", "hr", "input", "line", "meta", "path", "polygon", "polyline", "rect", "use"}
)
"""Elements that never hold anything. All others are closed by a tag of their own, as HTML wants it."""
NARROWEST, WIDEST = 0.85, 1.2
"""A figure is scaled within these bounds, so that its letters stay readable. On less room its box scrolls."""
SHORT: Final = 18
"""A column of a table with no cell longer than this many letters is kept on one line."""
LETTER_PX: Final = 7.0
"""About what a letter of the figures' 13 px takes. Nothing here can measure a text."""


def element(name: str, /, *children: str, **attributes: object) -> str:
    """Markup around `children`, which are markup already. Attributes are escaped.

    `class_` is `class`, `stroke_width` is `stroke-width`; None and False are left out, True is the bare name. A float
    is written to six digits, which is enough for a picture: give a text where all digits count.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None and value is not False:
            called = key.rstrip("_").replace("_", "-")
            parts.append(f' {called}="{escape(called if value is True else _said(value))}"')
    if name in EMPTY:
        return "".join([*parts, "/>"])
    return "".join([*parts, ">", *children, f"</{name}>"])


def _said(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a picture")
    return f"{value + 0.0:.6g}"


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """A line of text with its baseline at `y`. `text_anchor` is "middle" or "end" where it does not start at `x`."""
    return element("text", escape(content), x=float(x), y=float(y), **attributes)


def width_of(content: str) -> float:
    """About how many pixels a text of a figure takes."""
    return LETTER_PX * len(content)


class Scale:
    """Where a value lies on an axis, in pixels.

    Raises `ValueError` for a domain that is not finite and, where `log`, for one that reaches 0 or less.
    """

    def __init__(self, domain: tuple[float, float], range_px: tuple[float, float], *, log: bool = False) -> None:
        if not all(math.isfinite(end) and (end > 0 or not log) for end in domain):
            raise ValueError(f"an axis cannot go from {domain[0]} to {domain[1]}")
        self.low, self.high = sorted(domain)
        self.start_px, self.end_px = range_px if domain[0] <= domain[1] else (range_px[1], range_px[0])
        self.log = log

    def __call__(self, value: float) -> float:
        low, high, place = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        share = (place - low) / (high - low) if high > low else 0.5
        return self.start_px + (self.end_px - self.start_px) * share

    def ticks(self, show: Callable[[float], str] = "{:g}".format) -> list[tuple[float, str]]:
        """Round values within the domain and their texts: 1, 2 and 5 of a decade, or about five equal steps."""
        if self.low == self.high:
            return [(self.low, show(self.low))]
        found = self._decades() if self.log else self._steps()
        margin = 1e-9 * (self.high - self.low)
        inside = [each for each in found if self.low - margin <= each <= self.high + margin]
        if len(inside) < 2:
            inside = [self.low, self.high]
        return [(each, show(each)) for each in inside]

    def _steps(self) -> list[float]:
        rough = (self.high - self.low) / 5
        decade = 10.0 ** math.floor(math.log10(rough))
        step = next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= rough * (1 - 1e-9))
        numbers = range(math.floor(self.low / step), math.ceil(self.high / step) + 1)
        return [float(f"{number * step:.9g}") for number in numbers]

    def _decades(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        digits = (1, 2, 5) if len(decades) <= 4 else (1,)
        return [float(f"{digit}e{decade}") for decade in decades for digit in digits]


def axis(scale: Scale, top: float, bottom: float, title: str, show: Callable[[float], str] = "{:g}".format) -> str:
    """A horizontal axis at `bottom`: grid lines up to `top`, the ticks' texts, the title under them (36 px in all)."""
    parts = []
    for value, label in scale.ticks(show):
        x = scale(value)
        parts.append(element("line", class_="grid", x1=x, x2=x, y1=float(top), y2=float(bottom)))
        parts.append(text(x, bottom + 15, label, class_="t-muted", text_anchor="middle"))
    middle = (scale.start_px + scale.end_px) / 2
    return "".join([*parts, text(middle, bottom + 32, title, class_="t-muted", text_anchor="middle")])


def gate(x: float, top: float, bottom: float, label: str) -> str:
    """A line that must not be crossed, with its name above it."""
    line = element("line", class_="gate", x1=float(x), x2=float(x), y1=float(top), y2=float(bottom))
    return line + text(x, top - 4, label, class_="t-gate", text_anchor="middle")


def mark(word: str, x: float, y: float, size: float = 6) -> str:
    """The shape of a finding. better: up; worse: down; equivalent: a square; inconclusive: hollow; else: a ring."""
    up, down = f"{x:.2f},{y - size:.2f}", f"{x:.2f},{y + size:.2f}"
    left, right = x - size, x + size
    if word == "better":
        return element("polygon", class_="c-good", points=f"{up} {left:.2f},{y + size:.2f} {right:.2f},{y + size:.2f}")
    if word == "worse":
        return element("polygon", class_="c-bad", points=f"{down} {left:.2f},{y - size:.2f} {right:.2f},{y - size:.2f}")
    if word in {"equivalent", "equal"}:
        wide = 2 * size - 2
        return element("rect", class_="c-neutral", x=left + 1, y=y - size + 1, width=float(wide), height=float(wide))
    if word == "inconclusive":
        points = f"{up} {right:.2f},{y:.2f} {down} {left:.2f},{y:.2f}"
        return element("polygon", class_="s-neutral hollow", points=points)
    return element("circle", class_="s-neutral hollow dashed", cx=float(x), cy=float(y), r=float(size) - 1)


def legend(x: float, y: float, entries: Sequence[tuple[str, str]]) -> str:
    """Coloured squares with their names in one line. A colour is CSS classes, or a `fill` that begins with url."""
    parts, at = [], float(x)
    for colour, name in entries:
        paint = {"fill": colour, "class_": "frame"} if colour.startswith("url(") else {"class_": colour}
        parts.append(element("rect", **paint, x=at, y=y - 10.0, width=11, height=11))
        parts.append(text(at + 16, y, name))
        at += 16 + width_of(name) + 14
    return "".join(parts)


def hatch(figure_id: str) -> str:
    """The `fill` of what is not known or not compulsory: stripes, which `figure` defines where its body uses them."""
    return f"url(#{figure_id}-hatch)"


def _hatch(figure_id: str) -> str:
    stripe = element("path", class_="s-neutral", d="M0 0V6")
    turned = "rotate(45)"
    return element(
        "defs",
        element("pattern", stripe, id=f"{figure_id}-hatch", width=6, height=6, patternUnits="userSpaceOnUse",
                patternTransform=turned),
    )  # fmt: skip


def figure(id: str, title: str, desc: str, svg_body: str, width: int, height: int, table: Table) -> str:  # noqa: A002
    """A picture that scales with the page, its title, what it shows in words, and the table of its figures."""
    defined = _hatch(id) if hatch(id) in svg_body else ""
    picture = element(
        "svg",
        element("title", escape(title), id=f"{id}-title"),
        element("desc", escape(desc), id=f"{id}-desc"),
        defined,
        svg_body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{id}-title {id}-desc",
        style=f"min-width:{width * NARROWEST:.0f}px;max-width:{width * WIDEST:.0f}px",
    )
    return element(
        "figure",
        element("figcaption", escape(title)),
        element("div", picture, class_="scroll", role="group", aria_label=title),
        element("details", element("summary", "Table"), table_of(table)),
        id=id,
    )


def section(id: str, title: str, *parts: str | None) -> str:  # noqa: A002
    """A part of the page under its heading, which the navigation leads to. Parts that are None are left out."""
    heading = element("h2", escape(title), id=f"{id}-heading")
    return element("section", heading, *(part for part in parts if part), id=id, aria_labelledby=f"{id}-heading")


def paragraph(said: str, **attributes: object) -> str | None:
    """Words that were computed, as a paragraph; None where there are none."""
    return element("p", escape(said), **attributes) if said else None


def table_of(table: Table) -> str:
    """A table that scrolls in its own box. Columns of figures are aligned to the right, short ones are not broken."""
    kinds = [_kind([row[column] for row in table.rows]) for column in range(len(table.head))]
    head = "".join(
        element("th", escape(name), scope="col", class_=kind) for name, kind in zip(table.head, kinds, strict=True)
    )
    rows = "".join(
        element(
            "tr",
            element("th", escape(row[0]), scope="row"),
            *(element("td", escape(cell), class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in table.rows
    )
    note = element("p", escape(table.note), class_="note") if table.note else ""
    body = element(
        "table",
        element("caption", escape(table.title)),
        element("thead", element("tr", head)),
        element("tbody", rows),
    )
    return element("div", body, class_="scroll", role="group", aria_label=table.title) + note


def _kind(cells: Sequence[str]) -> str | None:
    """The CSS class of a column."""
    if any(cell[:2].strip("+-$")[:1].isdigit() for cell in cells) and all(map(_is_figure, cells)):
        return "figure"
    return "short" if all(len(cell) <= SHORT for cell in cells) else None


def _is_figure(cell: str) -> bool:
    return cell[:1] in set("0123456789+-$") or cell in {"", "not known", "not measured"}
