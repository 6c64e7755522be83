"""What a person reads after a comparison: the decision, its figures and what they rest on, on one screen.

At most `LINES` lines at 80 columns. Where there is more to say than room, whole statements go, those of `SPARE` first;
`report.html` and `report.json` have them all. Every row of the table says how its figures came to be.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.report import cost_text, quality_text, upkeep_text

Table = list[tuple[str, str, str, str]]
ARMS: Final = ("legacy", "direct")
LINES: Final = 36
"""What is printed here, so that with the lines of `compare` below it there are fewer than forty."""
WIDTH: Final = 80
WIDEST: Final = 120
MOST: Final = 8
"""Lines of one statement; only very long names or reasons come so far."""
SPARE: Final = ("prices", "stages", "upkeep", "break-evens", "causes")
"""Statements that go, in this order, where there is no room for all; those that are not named stay."""
MORE: Final = " [more: report.html]"
STANDS_IN: Final = " stands in for "


def table(report: Mapping[str, Any]) -> str:
    """Verdict, figures, statements and what they rest on; nothing that is not in `report`."""
    width = _width()
    failed = any(report["quality"]["failed"].values())
    asked = f"{headline(report)}{'' if failed else ', all answered'}."
    top = [line for each in (*_verdict(report), asked) for line in _wrapped(each, width)]
    top += ["", *(line for row in _aligned(_figures(report)) for line in textwrap.wrap(row, width)), ""]
    said = {name: [line for each in told for line in _wrapped(each, width)] for name, told in _said(report).items()}
    for name in SPARE:
        if len(top) + sum(map(len, said.values())) > LINES:
            said[name] = []
    return "\n".join([*top, *(line for each in said.values() for line in each)])


def _said(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """The statements by name, in the order of the page."""
    quality, cost = quality_text.lines(report["quality"]), cost_text.lines(report)
    return {
        "quality": quality[:1],
        "causes": quality[1:],
        "cost": cost[:1],
        "break-evens": cost[1:],
        "stages": cost_text.stages(report),
        "upkeep": upkeep_text.lines(report),
        "prices": _prices(report),
        "what it rests on": _rests_on(report),
        "notes": [each for each in (" ".join(_unusual(report)),) if each],
    }


def _figures(report: Mapping[str, Any]) -> Table:
    """The rows that a person decides by."""
    standing = report["standing"]

    def row(name: str, pointer: str, show: Callable[[Any], str]) -> tuple[str, str, str, str]:
        """`pointer` with {} for the arm."""
        values, words = [], []
        for arm in ARMS:
            value: Any = report
            for part in pointer.format(arm).strip("/").split("/"):
                value = value[part]
            word = nearest(standing, pointer.format(arm))
            missing = _missing(report, arm, name) if word == "unknown" else "too few"
            values.append(missing if value is None else show(value))
            words.append(word)
        return name, values[0], values[1], words[0] if words[0] == words[1] else " / ".join(words)

    failed = any(report["quality"]["failed"].values())
    return [
        ("", "legacy", "direct", "standing"),
        row("quality, by question", "/quality/questions_like_these/{}/score", _percent),
        *([row("requests not answered", "/quality/failed/{}", str)] if failed else []),
        row("latency p50", "/latency/{}/p50", seconds_text),
        row("latency p99", "/latency/{}/p99", seconds_text),
        row("pipeline overhead p50", "/latency/overhead/{}", seconds_text),
        row("cost per 1,000 decisions", "/cost/{}/per_decision_usd", lambda usd: f"${usd * 1000:.4f}"),
        row("cache hit rate", "/cost/{}/hit_rate", _percent),
        row("lines of code", "/maintenance/{}/lines", lambda lines: f"{lines:,}"),
    ]


def _aligned(rows: Table) -> list[str]:
    widths = [max(len(line[column]) for line in rows) for column in range(3)]
    return [
        f"{name:<{widths[0]}}  {legacy:>{widths[1]}}  {direct:>{widths[2]}}  {last}".rstrip()
        for name, legacy, direct, last in rows
    ]


def _width() -> int:
    """Columns of the terminal, within reason; 80 in a pipe or a file, so that those are alike everywhere."""
    if not sys.stdout.isatty():
        return WIDTH
    return min(max(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH), WIDEST)


def _wrapped(said: str, width: int) -> list[str]:
    return textwrap.wrap(said, width, subsequent_indent="  ", max_lines=MOST, placeholder=MORE, break_on_hyphens=False)


def _verdict(report: Mapping[str, Any]) -> list[str]:
    verdict = report["verdict"]
    lines = [f"Verdict: {verdict['overall'].upper()}. {'; '.join(verdict['reasons'])}."]
    lines += [f"Gate {each['gate']}: {each['state']} ({each['why']})." for each in report["gates"]]
    if stopped := report["provenance"]["stopped"]:
        lines.append(f"Stopped early: {stopped}.")
    return lines


def _rests_on(report: Mapping[str, Any]) -> list[str]:
    """Who answered, how long that took, and how much of it is a guess, in brief; `notes` is the whole of it."""
    provenance = report["provenance"]
    told = ["; ".join(_who(arm, provenance) for arm in ARMS) + "."]
    if stand_ins := provenance["scenario"]["stand_ins"]:
        told = [f"Stand-ins: {'; '.join(stand_ins.values())}."]
    told += _latency_notes(report)
    figures = {row["id"]: row["figures"].values() for row in provenance["hardware"].values()}
    if guessed := sum(each["standing"] == "assumed" for row in figures.values() for each in row):
        told.append(f"{guessed} figures are assumed (crossover hardware show).")
    return [" ".join([*told, *_no_interval(report)])]


def _unusual(report: Mapping[str, Any]) -> list[str]:
    """What holds for this run and not for every one."""
    notes = [f"Note: {each}." for each in report["provenance"]["notes"] if STANDS_IN not in each]
    return [*_partly(report), *notes]


def nearest(standing: Mapping[str, str], pointer: str) -> str:
    """The word of the longest pointer that holds for this one."""
    while pointer:
        if pointer in standing:
            return standing[pointer]
        pointer = pointer.rpartition("/")[0]
    return "unknown"


def _missing(report: Mapping[str, Any], arm: str, name: str) -> str:
    """Why a figure is not there: a price that nobody knows, or something that nobody measured."""
    prices = [price for key, price in report["provenance"]["prices"].items() if key.startswith(f"{arm}.")]
    unpriced = any(price["per_call_usd"] is None and price["input_usd"] is None for price in prices)
    unshared = name == "cost per 1,000 decisions" and report["cost"][arm]["unknown"]
    return "not known" if (unpriced or unshared) and name.startswith("cost") else "not measured"


def headline(report: Mapping[str, Any]) -> str:
    quality, scenario = report["quality"], report["provenance"]["scenario"]
    kinds = [scenario[arm]["kind"] for arm in ARMS]
    workload = report["provenance"]["workload"]["name"]
    of = "" if scenario["traffic"]["workload"] == "builtin" and "log" not in kinds else f" of {workload}"
    if kinds != ["builtin", "builtin"]:
        name = f"legacy of kind {kinds[0]}, direct of kind {kinds[1]}"
    elif len(scenario["stand_ins"]) == 3:
        name = scenario["preset"]
    else:
        name = "own models" if of else f"own models over {scenario['preset']}"
    repeats = f"{1 - quality['questions'] / quality['requests']:.0%} repeats"
    origin = "as logged" if "log" in kinds else f"by Zipf {scenario['traffic']['zipf']:g} (assumed)"
    return (
        f"{name}: {quality['requests']} requests over {quality['questions']} questions{of}, {repeats} {origin}, "
        f"seed {scenario['seed']}"
    )


def notes(report: Mapping[str, Any]) -> list[str]:
    provenance = report["provenance"]
    notes = ["; ".join(_who(arm, provenance) for arm in ARMS) + "."]
    if stand_ins := provenance["scenario"]["stand_ins"]:
        notes.append(f"Stand-ins: {'; '.join(stand_ins.values())}.")
    notes += [*_latency_notes(report), *_partly(report)]
    if (floor := report["latency"]["floor"]) is not None:
        notes.append(f"Floor: {seconds_text(floor)}, the p50 of a target that does nothing, measured in the same run.")
    notes += _assumed(provenance["hardware"])
    notes += _no_interval(report)
    notes += _prices(report)
    notes += [f"Note: {note}." for note in provenance["notes"]]
    if provenance["stopped"]:
        notes.append(f"Stopped early: {provenance['stopped']}.")
    return notes


def _partly(report: Mapping[str, Any]) -> list[str]:
    """Figures of cost that hold for some of the requests alone."""
    told, requests = [], report["quality"]["requests"]
    for arm in ARMS:
        calls = "" if report["cost"][arm]["calls_per_answer"] is None else " and calls"
        for what, count in (("Cost", "costed"), (f"Hit rate{calls}", "told")):
            if 0 < report["cost"][arm][count] < requests:
                told.append(
                    f"{what} of {arm}: over {report['cost'][arm][count]} of {requests} requests; the others failed and "
                    "do not tell it."
                )
    return told


def _prices(report: Mapping[str, Any]) -> list[str]:
    """The price of each place where it is used, in one statement; `provenance.prices` has their sources."""
    told = []
    for name, price in report["provenance"]["prices"].items():
        figure = "not known"
        if nearest(report["standing"], f"/cost/{name.partition('.')[0]}/usd_per_answer") == "vendor-claimed":
            continue  # the system reported its cost, so no price was needed
        if price["per_call_usd"] is not None:
            figure = f"{price['name']}, ${price['per_call_usd']:g} a call"
        elif price["input_usd"] is not None:
            figure = f"{price['name']}, ${price['input_usd']:g} in, ${price['output_usd']:g} out per Mtok"
        told.append(f"{name} {figure}")
    return [f"Prices: {'; '.join(told)}."] if told else []


def _assumed(hardware: Mapping[str, Any]) -> list[str]:
    """What nobody has published about the hardware that times rest on, once a row."""
    rows = {row["id"]: row["figures"] for row in hardware.values()}
    lines = []
    for name, figures in rows.items():
        guesses = [
            f"{figure} {each['value']:g}" + ("" if each["low"] is None else f" ({each['low']:g} to {each['high']:g})")
            for figure, each in figures.items()
            if each["standing"] == "assumed"
        ]
        if guesses:
            lines.append(f"Assumed of {name}: {', '.join(guesses)}; why: crossover hardware show {name}.")
    return lines


def _no_interval(report: Mapping[str, Any]) -> list[str]:
    """Percentiles that are shown without an interval: their requests waited for one another."""
    shown = [
        f"{name} of {arm}"
        for arm in ARMS
        for name in ("p50", "p95", "p99")
        if report["latency"][arm][name] is not None and report["latency"][arm]["intervals"][name] is None
    ]
    why = "requests waited for one another"
    return [f"No interval for {', '.join(shown)}: {why}."] if shown else []


def _who(arm: str, provenance: Mapping[str, Any]) -> str:
    system, models = provenance["scenario"][arm], provenance["models"]
    if system["kind"] == "log":
        return f"{arm} is the log {system['path']}"
    if f"{arm}.small" in models:
        return f"{arm} asks {_model(models[f'{arm}.small'])} or {_model(models[f'{arm}.large'])}"
    if system["kind"] == "python":
        return f"{arm} calls {system['callable']} (python)"
    model = models[f"{arm}.call"]
    return f"{arm} asks {_model(model)}" + (f" at {model['base_url']}" if system["kind"] == "http" else "")


def _latency_notes(report: Mapping[str, Any]) -> list[str]:
    """How each arm's latency came to be; one sentence where both came alike."""
    provenance, standing = report["provenance"], report["standing"]
    ways: dict[str, list[str]] = {}
    for arm in ARMS:
        kind, word = provenance["scenario"][arm]["kind"], nearest(standing, f"/latency/{arm}/mean")
        if kind == "builtin" and word == "recorded":
            way = (
                "seconds of the models as recorded where they ran alone on a CPU, plus the pipelines' own time, "
                "measured here"
            )
        else:
            who = [model["provider"] for name, model in provenance["models"].items() if name.startswith(f"{arm}.")]
            why = ", as the recordings hold no seconds" if kind == "builtin" and "recorded" in who else ""
            way = {
                "measured": "measured here",
                "recorded": "as logged",
                "emulated": f"emulated at the pace of {{}}, {_arrivals(provenance)}",
            }.get(word, f"not measured{why}")
        ways.setdefault(way, []).append(arm)
    notes = [
        f"Latency{f' of {arms[0]}' if len(ways) > 1 else ''}: {way.format(_rows(arms, provenance))}."
        for way, arms in ways.items()
    ]
    counts = {arm: report["latency"][arm] for arm in ARMS}
    if any(0 < count["timed"] < count["answered"] for count in counts.values()):
        parts = {arm: f"{count['timed']} of {count['answered']}" for arm, count in counts.items()}
        told = ", ".join(f"{part} of {arm}'s" for arm, part in parts.items()) + " answers"
        if len(set(parts.values())) == 1:
            told = f"{parts['legacy']} answers of each"
        notes.append(f"Latency rests on {told}: those that both gave and whose seconds are known.")
    return notes


def _rows(arms: list[str], provenance: Mapping[str, Any]) -> str:
    """The rows of the catalogue that arms were emulated with, by arm."""
    named = {
        arm: " and ".join(each["id"] for name, each in provenance["hardware"].items() if name.startswith(f"{arm}."))
        for arm in arms
    }
    return "; ".join(f"{rows} ({arm})" for arm, rows in named.items())


def _arrivals(provenance: Mapping[str, Any]) -> str:
    order: str = provenance["order"]
    return order if order.endswith("virtual time") else "in real time"


def _model(identity: Mapping[str, str]) -> str:
    return f"{identity['model']} ({identity['provider']})"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def seconds_text(seconds: float) -> str:
    """Seconds, milliseconds or microseconds, whichever reads best."""
    if round(seconds * 1e6) < 10_000:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if round(seconds * 1e3, 1) < 1000 else f"{seconds:.2f} s"
