"""What decisions cost with each arm, stacked by part, with 95 % intervals.

What nobody knows is a hatched frame that says so, never a bar of 0; what a vendor claims stands apart from what was
counted. How the figures are made: `benchmarks/cost/per_decision.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from benchmarks.report.html.svg import Scale, axis, element, figure, hatch, legend, text, width_of
from benchmarks.report.terminal import nearest
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-cost"
TITLE: Final = "Cost of 1,000 acceptable decisions"
CLAIM: Final = "vendor-claimed"
WIDTH: Final = 640
LEFT, RIGHT, FIGURES = 126, 492, 502
TOP, BAR, GAP, LINE, UNDER, LEGEND = 10, 24, 24, 16, 46, 20
PARTS: Final = {
    "tokens": "c-large",
    "rejected": "c-bad",
    "power": "c-small",
    "wrong_answers": "c-neutral",
    "cache_storage": "c-cache",
    "engineering": "c-call",
}
"""Each part's colour, in the order in which they are stacked."""
Row = tuple[str, str, Mapping[str, Any]]
"""Name, standing and figures of a bar."""


def chart(report: Mapping[str, Any]) -> str | None:
    """The picture and its table; None where nothing is known of either arm's cost, claims included."""
    rows = _rows(report)
    most = max((1000 * (each["per_decision_high_usd"] or each["per_decision_usd"] or 0) for _, _, each in rows))
    if not most:
        return None
    scale, parts, y = Scale((0.0, most), (LEFT, RIGHT)), list[str](), float(TOP)
    for name, standing, each in rows:
        why = wrap(each.get("unknown") or "", 66)
        parts += _row(scale, y, name, standing, each)
        parts += [text(LEFT, y + BAR + LINE * (1 + n), line, class_="t-muted") for n, line in enumerate(why)]
        y += BAR + GAP + LINE * len(why)
    drawn = {part for _, _, each in rows for part, usd in each.get("per_decision_parts_usd", {}).items() if usd}
    names = [(colour, part.replace("_", " ")) for part, colour in PARTS.items() if part in drawn]
    desc = "A bar an arm, stacked by part; a hatched frame where the cost is not known; a dashed one for a claim."
    below = [axis(scale, TOP, y, "US dollars", "${:g}".format), legend(8, y + UNDER + 8, names)]
    return figure(ID, TITLE, desc, "".join([*below, *parts]), WIDTH, round(y + UNDER + LEGEND), _table(rows))


def words(report: Mapping[str, Any]) -> str:
    """What both cost and which is the cheaper, as far as it is known; what the sums hold and leave out; the claim."""
    cost, claim = report["cost"], report["cost"]["vendor_claim"]
    told = [f"{arm} {_with_interval(cost[arm]) or 'not known (' + cost[arm]['unknown'] + ')'}" for arm in ARMS]
    said = [f"1,000 acceptable decisions cost: {'; '.join(told)}.", *_cheaper(cost)]
    for arm in ARMS:
        parts = {part: usd for part, usd in cost[arm]["per_decision_parts_usd"].items() if usd}
        if (whole := cost[arm]["per_decision_usd"]) and len(parts) > 1:
            shares = sorted(parts.items(), key=lambda each: -each[1])
            listed = ", ".join(f"{part.replace('_', ' ')} {usd / whole:.1%}" for part, usd in shares)
            said.append(f"Of {arm}'s: {listed}.")
    legacy, direct = (cost[arm]["left_out"] for arm in ARMS)
    if neither := [part.replace("_", " ") for part in legacy if part in direct]:
        said.append(f"In neither sum: {', '.join(neither)}.")
    if claim and (claimed := _with_interval(claim)):
        ratio = claim["ratio"]["value"]
        beside = "" if ratio is None else f", {ratio:.3g} times legacy's"
        said.append(f"By the vendor's claim direct's would cost {claimed}{beside} ({claim['source']}).")
    return " ".join(said)


def _cheaper(cost: Mapping[str, Any]) -> Iterator[str]:
    low, high, ratio = cost["difference_usd"]["low"], cost["difference_usd"]["high"], cost["ratio"]
    if low is None or high is None:
        return
    if low <= 0 <= high:
        yield "Which is the cheaper is not sure: the interval of the difference holds 0."
        return
    inside = "" if ratio["low"] is None or ratio["high"] is None else f" [{ratio['low']:.3g}, {ratio['high']:.3g}]"
    times = "" if ratio["value"] is None else f": direct's cost is {ratio['value']:.3g} times legacy's{inside}"
    yield f"{'Direct' if high < 0 else 'Legacy'} is the cheaper{times}."


def _rows(report: Mapping[str, Any]) -> list[Row]:
    """The bars: both arms, and the vendor's claim where there is one."""
    cost = report["cost"]
    rows: list[Row] = [(arm, nearest(report["standing"], f"/cost/{arm}/per_decision_usd"), cost[arm]) for arm in ARMS]
    claim = cost["vendor_claim"]
    if claim and claim["per_decision_usd"] is not None:
        rows.append(("direct", CLAIM, claim))
    return rows


def _row(scale: Scale, y: float, name: str, standing: str, each: Mapping[str, Any]) -> Iterator[str]:
    usd, middle = each["per_decision_usd"], y + BAR / 2
    yield text(LEFT - 10, middle - 2, name, text_anchor="end", font_weight=600)
    frame = {"x": LEFT, "y": y, "height": BAR}
    if usd is None:
        yield element("rect", class_="frame", fill=hatch(ID), width=RIGHT - LEFT, **frame)
        yield text(FIGURES, middle + 4, "not known", font_weight=600)
        return
    yield text(LEFT - 10, middle + 13, standing, class_="t-muted", text_anchor="end")
    yield text(FIGURES, middle - 2, _usd(usd), font_weight=600)
    if standing == CLAIM:
        yield element("rect", class_="s-direct hollow dashed", width=max(scale(1000 * usd) - LEFT, 2.0), **frame)
    at = 0.0
    for part, colour in PARTS.items():
        if amount := each.get("per_decision_parts_usd", {}).get(part):
            left, right = scale(1000 * at), scale(1000 * (at + amount))
            yield element("rect", class_=colour, x=left, y=y, width=right - left, height=BAR)
            if width_of(part) + 8 < right - left:
                yield text(left + 6, middle + 4, part.replace("_", " "), class_="t-on")
            at += amount
    low, high = (each[f"per_decision_{end}_usd"] for end in ("low", "high"))
    if low is not None and high is not None:
        yield text(FIGURES, middle + 13, f"[{_usd(low)}, {_usd(high)}]", class_="t-muted t-small")
        left, right = scale(1000 * low), scale(1000 * high)
        yield element("path", class_="s-ink hollow", d=f"M{left:.2f} {y + BAR + 2:g}v6m0 -3H{right:.2f}m0 -3v6")


def _with_interval(each: Mapping[str, Any]) -> str:
    """US dollars of 1,000 decisions; "" where they are not known."""
    value, low, high = (each[f"per_decision{end}_usd"] for end in ("", "_low", "_high"))
    if value is None:
        return ""
    if low is None and high is None:
        return _usd(value)
    ends = ("no end" if end is None else _usd(end) for end in (low, high))
    return f"{_usd(value)} [{', '.join(ends)}]"


def _usd(each: float) -> str:
    """US dollars of 1,000, with as many digits as tell one from another."""
    usd = 1000 * each
    return f"${usd:,.2f}" if usd >= 10 else f"${usd:.4f}" if usd >= 0.01 or not usd else f"${usd:.3g}"


def _table(rows: list[Row]) -> Table:
    """A part that is not known or not counted is told apart from one that is 0."""
    cells = []
    for name, standing, each in rows:
        parts, left_out = each.get("per_decision_parts_usd", {}), each.get("left_out", {})
        unknown = "not told apart" if standing == CLAIM else "not known"
        missing = {part: "left out" if part in left_out else unknown for part in PARTS}
        known = {part: _usd(usd) for part, usd in parts.items() if usd is not None}
        told = (known.get(part, missing[part]) for part in PARTS)
        whole = _with_interval(each) or "not known"
        cells.append((f"{name}, {standing}", whole, *told))
    head = ("arm", "all parts", *(part.replace("_", " ") for part in PARTS))
    return Table(f"{TITLE}, US dollars", "Intervals are 95 %.", head, cells)
