"""How long answers take: one distribution an arm, and one for each way to an answer, on a log axis.

`distribution.py` draws a row. Where the time goes: `where_time_goes.py`. How percentiles are taken and which samples
support them: `benchmarks/latency/quantiles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.latency.quantiles import quantile
from benchmarks.report.html.charts.distribution import ROW, Line, mark, row
from benchmarks.report.html.rows import route
from benchmarks.report.html.svg import Scale, axis, figure, gate, text
from benchmarks.report.terminal import nearest, seconds_text
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-latency"
TITLE: Final = "Latency of each arm, and by how its answers came"
WIDTH: Final = 640
LEFT, RIGHT = 196, 600
TOP, UNDER, LEGEND = 26, 44, 22
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
WAYS: Final = {"cache": ("from the cache", "c-cache"), "similar": ("for a similar question", "c-cache"),
               "share": ("an equal request's", "c-cache"), "small": ("by the small model", "c-small"),
               "large": ("by the large model", "c-large"), "call": ("by the model", "c-call")}  # fmt: skip
Document = Mapping[str, Any]


def chart(report: Document, rows: Sequence[Document]) -> str | None:
    """The picture and its table; None where neither arm is timed. `rows` are those of `requests.jsonl`."""
    lines = [line for arm in ARMS for line in _lines(report, rows, arm)]
    if not lines:
        return None
    limit_ms = report["provenance"]["scenario"]["gates"]["p99_ms"]
    known = [each for line in lines for each in line.ms] + ([limit_ms] if limit_ms else [])
    scale = Scale((min(known) / 1.25, max(known) * 1.25), (LEFT, RIGHT), log=True)
    top = TOP if limit_ms else 6
    bottom = top + ROW * len(lines)
    parts = [axis(scale, top, bottom, "ms, on a log axis", "{:,g}".format)]
    for number, line in enumerate(lines):
        parts += row(scale, top + ROW * number, line)
    if limit_ms:
        parts.append(gate(scale(limit_ms), top, bottom, f"gate {limit_ms:g} ms"))
    below = bottom + UNDER + 10
    for x, name in zip((LEFT, LEFT + 60, LEFT + 120), QUANTILES, strict=True):
        parts += [mark(name, x + 6, below - 4), text(x + 18, below, name)]
    parts.append(text(LEFT + 176, below, "lines through them: 95 % intervals", class_="t-muted"))
    desc = f"{len(lines)} distributions over one log axis of milliseconds, each with its p50, p95 and p99 where known."
    return figure(ID, TITLE, desc, "".join(parts), WIDTH, bottom + UNDER + LEGEND, _table(report, lines))


def words(report: Document) -> str:
    """Each arm's percentiles, how they differ, for whom direct is the slower, and the gate where one is set."""
    latency = report["latency"]
    said = [_told(arm, latency[arm], nearest(report["standing"], f"/latency/{arm}")) for arm in ARMS]
    if difference := latency["difference"]:
        found = {name: difference[name]["of_quantiles"] for name in QUANTILES}
        told = "; ".join(f"{name} {_signed(each)}{_faster(each)}" for name, each in found.items() if each)
        said += [f"Direct's less legacy's: {told}."] if told else []
        if few := " and ".join(name for name, each in found.items() if not each):
            said.append(f"For the difference of {few} there are too few answers that do not wait for one another.")
        said += _per_request(difference)
    said += [f"Gate p99_ms: {each['state']} ({each['why']})." for each in report["gates"] if each["gate"] == "p99_ms"]
    if latency["floor"] is not None:
        said.append(f"A target that does nothing took {seconds_text(latency['floor'])} at p50 in the same run.")
    return " ".join(said)


def _told(arm: str, found: Document, standing: str) -> str:
    known = [f"{name} {_with_ends(found[name], found['intervals'][name])}" for name in QUANTILES if found[name]]
    return f"{arm.capitalize()} ({standing}): {', '.join(known)}." if known else f"{arm.capitalize()}: not measured."


def _per_request(difference: Document) -> Iterator[str]:
    """Percentiles of the differences, which say for how many requests which arm is the slower."""
    middle, tail = (difference[name]["of_differences"] for name in ("p50", "p95"))
    if middle:
        yield f"Request by request, direct - legacy is {_signed(middle)} in the median."
    if tail and tail["low"] > 0:
        yield f"5 % of the requests are slower with direct by {_signed(tail)} or more."
    elif tail and tail["high"] < 0:
        yield f"95 % of the requests are faster with direct by {tail['estimate'] * -1e3:.3g} ms or more."


def _signed(each: Mapping[str, float]) -> str:
    value, low, high = (f"{each[name] * 1e3:+.3g}" for name in ("estimate", "low", "high"))
    return f"{value} ms [{low}, {high}]"


def _faster(each: Mapping[str, float]) -> str:
    if each["low"] <= 0 <= each["high"]:
        return ", not told apart"
    return f", {'direct' if each['high'] < 0 else 'legacy'} is faster"


def _with_ends(seconds: float, ends: Sequence[float] | None) -> str:
    return seconds_text(seconds) + (f" [{', '.join(map(seconds_text, ends))}]" if ends else "")


def _lines(report: Document, rows: Sequence[Document], arm: str) -> Iterator[Line]:
    """The whole arm, with the report's own percentiles; then each way to an answer, where there are several."""
    latency, ways = report["latency"][arm], dict[str, list[float]]()
    mine = _timed(report, rows, arm)
    for each in mine:
        ways.setdefault(route(each), []).append(each["latency_s"])
    if not mine:
        return
    notes = [f"all {len(mine):,} answers, {nearest(report['standing'], f'/latency/{arm}')}"]
    notes += _ran(report, f"{arm}.{next(iter(ways))}") if len(ways) == 1 else []
    seconds, values = [each["latency_s"] for each in mine], {name: latency[name] for name in QUANTILES}
    yield Line(arm, f"c-{arm}", notes, seconds, values, latency["intervals"])
    order = [*WAYS, *sorted(ways.keys() - WAYS.keys())]
    for way in (each for each in order if each in ways and len(ways) > 1):
        name, colour = WAYS.get(way, (way, "c-other"))
        found = {name: quantile(ways[way], q) for name, q in QUANTILES.items()}
        supported = {name: each.value if each else None for name, each in found.items()}
        notes = [f"{len(ways[way]):,} answers", *_ran(report, f"{arm}.{way}")]
        yield Line(f"{arm}, {name}", colour, notes, ways[way], supported, dict.fromkeys(QUANTILES))


def _timed(report: Document, rows: Sequence[Document], arm: str) -> list[Document]:
    """The rows that the report's percentiles rest on: `benchmarks/latency/percentiles.py` says which."""
    timed = [each for each in ARMS if report["latency"][each]["timed"]]
    if arm not in timed:
        return []
    answered = [{each["request"] for each in rows if each["arm"] == one and each["error"] is None} for one in ARMS]
    both = [each for each in rows if each["request"] in answered[0] & answered[1]]
    untimed = {each["item"] for each in both if each["latency_s"] is None and each["arm"] in timed}
    return [each for each in both if each["arm"] == arm and each["item"] not in untimed]


def _ran(report: Document, key: str) -> list[str]:
    """What a kind of call ran on, and how its pace is known; the model where no hardware stands for it."""
    provenance = report["provenance"]
    if hardware := provenance["hardware"].get(key):
        return [hardware["name"], f"pace {hardware['figures']['tok_s']['standing']}"]
    return [provenance["models"][key]["model"]] if key in provenance["models"] else []


def _table(report: Document, lines: Sequence[Line]) -> Table:
    cells = [(line.name, *_cells(line.values, line.ends), ", ".join(line.notes)) for line in lines]
    due = {arm: report["latency"][arm]["since_scheduled"] for arm in ARMS}
    cells += [
        (f"{arm}, from when each was due", *_cells(each, each["intervals"]), "all answers")
        for arm, each in due.items()
        if each
    ]
    note = "95 % intervals for a whole arm, where its answers wait for one another little enough to have one."
    return Table(TITLE, note, ("answers", *QUANTILES, "of"), cells)


def _cells(values: Mapping[str, Any], ends: Mapping[str, Any]) -> list[str]:
    return ["too few" if values[name] is None else _with_ends(values[name], ends[name]) for name in QUANTILES]
