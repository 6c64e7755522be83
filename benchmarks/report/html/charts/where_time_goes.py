"""Where the seconds of an average answer go: each arm's steps stacked, as its pipeline recorded them.

Two panels, since what a pipeline does itself is a thousandth of what its models take: the whole, then only that part.
Distributions rather than means: `latency.py`. How the parts are told apart: `benchmarks/latency/breakdown.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.latency.breakdown import ADAPTER, REST
from benchmarks.report.html.svg import Scale, axis, element, figure, hatch, text, width_of
from benchmarks.report.terminal import nearest, seconds_text
from benchmarks.rows import CALLS
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-where-time-goes"
TITLE: Final = "Where the time of an average answer goes"
WIDTH: Final = 640
LEFT, RIGHT = 64, 526
HEAD, BAR, GAP, LINE, UNDER = 24, 24, 12, 18, 44
OWN: Final = "all else"
MODELS: Final = (*CALLS, "share")
"""What lasts as long as a model does: its calls, and waiting for another request's."""
STYLES: Final = {
    "large": ("the large model", "c-large"),
    "small": ("the small model", "c-small"),
    "call": ("the model", "c-call"),
    "share": ("waiting for an equal request", "c-legacy"),
    OWN: (OWN, "c-other"),
    "cache": ("cache", "c-cache"),
    "similar": ("similar questions", "c-small"),
    "classify": ("classifier", "c-large"),
    ADAPTER: ("reaching the model", "c-neutral"),
    REST: ("the pipeline itself", "c-bad"),
}
"""Name and colour by kind of step, in the order in which they are stacked; any other kind comes last."""
Bars = Mapping[str, Mapping[str, float]]


def chart(report: Mapping[str, Any]) -> str | None:
    """The picture and its table; None where neither arm tells its steps' times."""
    told: dict[str, Any] = {arm: report["latency"]["overhead"]["breakdown"][arm] for arm in ARMS}
    parts = {arm: _ordered(each["parts"]) for arm, each in told.items() if each}
    if not parts:
        return None
    after = {arm: told[arm]["after_answer"] for arm in parts}
    own = {arm: _own(each) for arm, each in parts.items()}
    whole = {
        arm: {kind: seconds for kind, seconds in each.items() if kind in MODELS} | {OWN: sum(own[arm].values())}
        for arm, each in parts.items()
    }
    first, y = _panel("The whole answer", whole, {}, 0.0)
    second, y = _panel("All else: what the pipeline does itself", own, after, y + 6)
    desc = "Each arm's mean as a bar of its steps: once with the models, once without, on a larger scale."
    return figure(ID, TITLE, desc, first + second, WIDTH, round(y), _table(report, parts, after))


def words(report: Mapping[str, Any]) -> str:
    """How much of each arm's mean is its models' and what is its own, and what is done after the answer is out."""
    said = []
    for arm in ARMS:
        found = report["latency"]["overhead"]["breakdown"][arm]
        if not found:
            said.append(f"{arm.capitalize()} does not tell what its time goes to.")
            continue
        own = _own(found["parts"])
        models, ours = found["mean"] - sum(own.values()), sum(own.values())
        share = f" ({models / found['mean']:.1%})" if found["mean"] else ""
        parts = ", ".join(f"{_style(kind)[0]} {seconds_text(each)}" for kind, each in _ordered(own).items())
        said.append(
            f"An average answer of {arm} takes {seconds_text(found['mean'])}: {seconds_text(models)}{share} by its "
            f"models, or waiting for them, and {seconds_text(ours)} by all else ({parts or 'nothing'})."
        )
        late = found["after_answer"].items()
        if late:
            listed = ", ".join(f"{kind} {seconds_text(each)}" for kind, each in late)
            said.append(f"After the answer is out: {listed}, which nobody waits for.")
    return " ".join(said)


def _own(parts: Mapping[str, float]) -> dict[str, float]:
    return {kind: seconds for kind, seconds in parts.items() if kind not in MODELS}


def _ordered(parts: Mapping[str, float]) -> dict[str, float]:
    order = list(STYLES)
    return dict(sorted(parts.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order)))


def _style(kind: str) -> tuple[str, str]:
    return STYLES.get(kind, (kind.replace("_", " "), "c-good"))


def _panel(title: str, bars: Bars, after: Bars, top: float) -> tuple[str, float]:
    """A bar an arm over one axis, with its parts named below it; and where the panel ends."""
    most = max(sum(each.values()) + sum(after.get(arm, {}).values()) for arm, each in bars.items())
    unit, times = ("s", 1.0) if most >= 1 else ("ms", 1e3) if most >= 1e-3 else ("us", 1e6)
    scale = Scale((0.0, most * times or 1.0), (LEFT, RIGHT))
    parts, y = [text(0, top + 14, title, font_weight=600)], top + HEAD
    for arm, each in bars.items():
        x = float(LEFT)
        parts.append(text(LEFT - 10, y + BAR / 2 + 4, arm, text_anchor="end"))
        pieces = [(*_style(kind), seconds) for kind, seconds in each.items()]
        pieces += [(f"{kind}, after the answer", hatch(ID), seconds) for kind, seconds in after.get(arm, {}).items()]
        for _, colour, seconds in pieces:
            width = scale(seconds * times) - LEFT
            parts.append(_box(colour, x, y, width, BAR))
            x += width
        total = " + ".join(seconds_text(sum(some.values())) for some in (each, after.get(arm)) if some)
        parts.append(text(x + 6, y + BAR / 2 + 4, total))
        names, y = _names(pieces, y + BAR + LINE)
        parts += [*names]
        y += GAP
    return axis(scale, top + HEAD - 4, y - 4, f"{unit} on average") + "".join(parts), y - 4 + UNDER


def _box(colour: str, x: float, y: float, width: float, height: float) -> str:
    paint = {"fill": colour, "class_": "frame"} if colour.startswith("url(") else {"class_": f"{colour} s-paper"}
    return element("rect", **paint, x=x, y=y, width=width, height=height)


def _names(pieces: list[tuple[str, str, float]], y: float) -> tuple[Iterator[str], float]:
    """Each part's colour, name and seconds, in as many lines as they need; and where the last line is."""
    placed, x = [], float(LEFT)
    for name, colour, seconds in pieces:
        told = f"{name} {seconds_text(seconds)}"
        width = 16 + width_of(told) + 12
        if x > LEFT and x + width > WIDTH:
            x, y = float(LEFT), y + LINE
        placed.append((colour, told, x, y))
        x += width
    return (_box(c, x, y - 10, 11.0, 11.0) + text(x + 16, y, told) for c, told, x, y in placed), y


def _table(report: Mapping[str, Any], parts: Bars, after: Bars) -> Table:
    rows = []
    for arm, each in parts.items():
        standing = nearest(report["standing"], f"/latency/overhead/breakdown/{arm}")
        whole = sum(each.values())
        for kind, seconds in each.items():
            share = f"{seconds / whole:.1%}" if whole else ""
            rows.append((arm, _style(kind)[0], f"{seconds * 1e3:.4f}", share, standing))
        rows += [(arm, f"{kind}, after the answer", f"{s * 1e3:.4f}", "", standing) for kind, s in after[arm].items()]
    return Table(TITLE, "Means over the answered requests whose steps are known.",
                 ("arm", "part", "ms", "share", "standing"), rows)  # fmt: skip
