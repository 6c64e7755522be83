"""Each stage's own account on this traffic: what cache, classifier and cascade cost and save.

Dollars, seconds of waiting and wrong answers, each per 1,000 requests. A bar to the right costs, one to the left saves;
the diamond is the net with its 95 % interval. How the accounts are made: `benchmarks/cost/stages.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.report.cost_text import STAGES
from benchmarks.report.html.svg import Scale, axis, element, figure, legend, mark, text
from benchmarks.table_text import Table

ID: Final = "chart-stages"
TITLE: Final = "What each stage of legacy costs and saves, per 1,000 requests"
WIDTH: Final = 640
LEFT, RIGHT = 92, 470
TOP, ROW, BAR, UNDER, LEGEND = 24, 28, 12, 40, 26
METRICS: Final = {"usd": "US dollars", "seconds": "seconds of waiting", "wrong_answers": "wrong answers"}
ROWS: Final = (*STAGES, "total")


def chart(report: Mapping[str, Any]) -> str | None:
    """One panel a metric, and the table; None where no metric has an account."""
    stages = report["cost"]["stages"]
    known = {metric: [row for row in ROWS if stages[row][metric]] for metric in METRICS}
    known = {metric: rows for metric, rows in known.items() if rows}
    if not known:
        return None
    parts, y = list[str](), 0.0
    for metric, rows in known.items():
        parts += _panel(stages, metric, rows, y)
        y += TOP + ROW * len(rows) + UNDER
    parts.append(legend(LEFT, y + 18, [("c-good", "saves"), ("c-bad", "costs")]))
    parts += [mark("inconclusive", LEFT + 150.0, y + 14), text(LEFT + 162, y + 18, "net, with its 95 % interval")]
    desc = f"{len(known)} panels over a zero line: what a stage saves to the left, what it costs to the right."
    return figure(ID, TITLE, desc, "".join(parts), WIDTH, round(y + LEGEND), _table(stages, known))


def words(report: Mapping[str, Any]) -> str:
    """For each metric what each stage nets and whether that is sure; what is not known, and why."""
    stages = report["cost"]["stages"]
    said = []
    for metric, unit in METRICS.items():
        told = [_told(row, stages[row][metric], metric) for row in ROWS if stages[row][metric]]
        if told:
            said.append(f"In {unit}, per 1,000 requests: {'; '.join(told)}.")
    for reason in dict.fromkeys(stages["reasons"].values()):
        unknown = [METRICS[metric] for metric, why in stages["reasons"].items() if why == reason]
        said.append(f"Not known, in {', '.join(unknown)}: {reason}.")
    if said and stages["requests"]:
        said.append("Calls count with the time that their hardware takes for them alone, and the store with its own.")
    return " ".join(said)


def _told(stage: str, account: Mapping[str, Any], metric: str) -> str:
    stage = "whole" if stage == "total" else stage
    if account["net"] == 0:
        return f"the {stage} changes nothing"
    verb = "saves" if account["net"] < 0 else "costs"
    return f"the {stage} {verb} {_figure(abs(account['net']), metric)} net{_sure(account, metric)}"


def _sure(account: Mapping[str, Any], metric: str) -> str:
    low, high = account["low"], account["high"]
    if low is None or high is None:
        return ""
    inside = f" [{_figure(low, metric)}, {_figure(high, metric)}]" if account["net"] > 0 else ""
    inside = inside or f" [{_figure(-high, metric)}, {_figure(-low, metric)}]"
    return inside + (", which may be nothing" if low <= 0 <= high else "")


def _figure(each: float, metric: str) -> str:
    """Of 1,000 requests."""
    if metric == "usd":
        return f"{'-' if each < 0 else ''}${abs(each) * 1000:.4f}"
    return f"{each * 1000:.3g}{' s' if metric == 'seconds' else ''}"


def _panel(stages: Mapping[str, Any], metric: str, rows: Sequence[str], top: float) -> Iterator[str]:
    accounts = [stages[row][metric] for row in rows]
    sides = [(each["costs"], -each["saves"], each["low"] or 0.0, each["high"] or 0.0) for each in accounts]
    ends = [1000 * value for side in sides for value in side]
    scale = Scale((min(ends), max(ends)) if any(ends) else (-1.0, 1.0), (LEFT, RIGHT))
    first, bottom = top + TOP, top + TOP + ROW * len(rows)
    yield axis(scale, first, bottom, METRICS[metric])
    yield text(RIGHT + 12, first - 6, "net", class_="t-muted")
    for number, (row, each) in enumerate(zip(rows, accounts, strict=True)):
        y, weight = first + ROW * (number + 0.5), 600 if row == "total" else None
        yield text(LEFT - 8, y + 4, row, text_anchor="end", font_weight=weight)
        for colour, end in (("c-good", -each["saves"]), ("c-bad", each["costs"])):
            x = sorted((scale(0), scale(1000 * end)))
            yield element("rect", class_=colour, x=x[0], width=x[1] - x[0], y=y - BAR / 2, height=BAR)
        if each["low"] is not None and each["high"] is not None:
            low, high = scale(1000 * each["low"]), scale(1000 * each["high"])
            yield element("path", class_="s-ink hollow", d=f"M{low:.2f} {y + 6:g}v6m0 -3H{high:.2f}m0 -3v6")
        yield mark("inconclusive", scale(1000 * each["net"]), y + 9, 4)
        yield text(RIGHT + 12, y + 4, _net(each, metric), font_weight=weight)
    yield element("line", class_="s-ink", x1=scale(0), x2=scale(0), y1=first, y2=bottom)


def _net(account: Mapping[str, Any], metric: str) -> str:
    if account["net"] == 0:
        return "0"
    return f"{'saves' if account['net'] < 0 else 'costs'} {_figure(abs(account['net']), metric)}"


def _table(stages: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> Table:
    rows = []
    for metric, names in known.items():
        for row in names:
            each = stages[row][metric]
            ends = ["" if each[end] is None else _figure(each[end], metric) for end in ("low", "high")]
            cells = (_figure(each[name], metric) for name in ("costs", "saves", "net"))
            rows.append((f"{row}, {METRICS[metric]}", *cells, *ends))
    note = f"Net is costs less savings, so below 0 a stage pays. Over {stages['requests']:,} requests."
    return Table(TITLE, note, ("account", "costs", "saves", "net", "low", "high"), rows)
