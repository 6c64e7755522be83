"""The table a person reads. Every row says how its figures came to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.report import cost_text, quality_text, upkeep_text

Table = list[tuple[str, str, str, str]]
ARMS: Final = ("legacy", "direct")


def table(report: Mapping[str, Any]) -> str:
    """One table, the notes that belong to it, and nothing that is not in `report`."""
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

    rows: Table = [
        ("", "legacy", "direct", "standing"),
        row("quality, questions like these", "/quality/questions_like_these/{}/score", _percent),
        row("quality, this traffic", "/quality/{}/score", _percent),
        row("requests not answered", "/quality/failed/{}", str),
        row("latency p50", "/latency/{}/p50", seconds_text),
        row("latency p95", "/latency/{}/p95", seconds_text),
        row("latency p99", "/latency/{}/p99", seconds_text),
        row("latency mean", "/latency/{}/mean", seconds_text),
        row("pipeline overhead p50", "/latency/overhead/{}", seconds_text),
        row("cost per 1,000 answers", "/cost/{}/usd_per_answer", lambda usd: f"${usd * 1000:.4f}"),
        row("cost per 1,000 decisions", "/cost/{}/per_decision_usd", lambda usd: f"${usd * 1000:.4f}"),
        row("cache hit rate", "/cost/{}/hit_rate", _percent),
        row("answered by the small model", "/cost/{}/small_share", _percent),
        row("model calls per answer", "/cost/{}/calls_per_answer", lambda calls: f"{calls:.3f}"),
        row("lines of code", "/maintenance/{}/lines", str),
        row("settings to choose", "/maintenance/{}/settings", lambda names: str(len(names))),
        row("failure modes", "/maintenance/{}/failure_modes", lambda modes: str(sum(modes.values()))),
    ]
    parts = [
        [headline(report), *_verdict(report)],
        _aligned(rows),
        quality_text.lines(report["quality"]),
        cost_text.lines(report),
        upkeep_text.lines(report),
        notes(report),
    ]
    if len(report["quality"]["by_task"]) > 1 and report["quality"]["right"]:
        parts.insert(2, _aligned(quality_text.by_task(report["quality"])))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _verdict(report: Mapping[str, Any]) -> list[str]:
    verdict = report["verdict"]
    lines = [f"Verdict: {verdict['overall'].upper()}. {'; '.join(verdict['reasons'])}."]
    lines += [f"Gate {each['gate']}: {each['state']} ({each['why']})." for each in report["gates"]]
    return lines


def _aligned(rows: Table) -> list[str]:
    widths = [max(len(line[column]) for line in rows) for column in range(4)]
    lines = [
        f"{name:<{widths[0]}}  {legacy:>{widths[1]}}  {direct:>{widths[2]}}  {last}".rstrip()
        for name, legacy, direct, last in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


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
    provenance, quality = report["provenance"], report["quality"]
    notes = ["; ".join(_who(arm, provenance) for arm in ARMS) + "."]
    if stand_ins := provenance["scenario"]["stand_ins"]:
        notes.append(f"Stand-ins: {'; '.join(stand_ins.values())}.")
    notes += _latency_notes(report)
    for arm in ARMS:
        calls = "" if report["cost"][arm]["calls_per_answer"] is None else " and calls"
        for what, count in (("Cost", "costed"), (f"Hit rate{calls}", "told")):
            if 0 < report["cost"][arm][count] < quality["requests"]:
                notes.append(
                    f"{what} of {arm}: over {report['cost'][arm][count]} of {quality['requests']} requests; the others "
                    "failed and do not tell it."
                )
    if (floor := report["latency"]["floor"]) is not None:
        notes.append(f"Floor: {seconds_text(floor)}, the p50 of a target that does nothing, measured in the same run.")
    notes += _assumed(provenance["hardware"])
    notes += _no_interval(report)
    for name, price in provenance["prices"].items():
        arm, figure = name.partition(".")[0], "not known"
        if nearest(report["standing"], f"/cost/{arm}/usd_per_answer") == "vendor-claimed":
            continue  # the system reported its cost, so no price was needed
        if price["per_call_usd"] is not None:
            figure = f"{price['name']}, ${price['per_call_usd']:g} a call"
        elif price["input_usd"] is not None:
            figure = f"{price['name']}, ${price['input_usd']:g} in, ${price['output_usd']:g} out per Mtok"
        notes.append(f"Price of {name}: {figure} ({price['source']}).")
    notes += [f"Note: {note}." for note in provenance["notes"]]
    if provenance["stopped"]:
        notes.append(f"Stopped early: {provenance['stopped']}.")
    return notes


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
    why = "requests waited for one another, so more of them are needed"
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
            rows = [each["id"] for name, each in provenance["hardware"].items() if name.startswith(f"{arm}.")]
            way = {
                "measured": "measured here",
                "recorded": "as logged",
                "emulated": f"emulated at the pace of {' and '.join(rows)}, {_arrivals(provenance)}",
            }.get(word, f"not measured{why}")
        ways.setdefault(way, []).append(arm)
    notes = [f"Latency{f' of {arms[0]}' if len(ways) > 1 else ''}: {way}." for way, arms in ways.items()]
    counts = {arm: report["latency"][arm] for arm in ARMS}
    if any(0 < count["timed"] < count["answered"] for count in counts.values()):
        parts = {arm: f"{count['timed']} of {count['answered']}" for arm, count in counts.items()}
        told = ", ".join(f"{part} of {arm}'s" for arm, part in parts.items()) + " answers"
        if len(set(parts.values())) == 1:
            told = f"{parts['legacy']} answers of each"
        notes.append(f"Latency rests on {told}: those that both gave and whose seconds are known.")
    return notes


def _arrivals(provenance: Mapping[str, Any]) -> str:
    if not provenance["order"].endswith("virtual time"):
        return "in real time"
    return f"{provenance['order']}, and the code's own time from the overhead profile"


def _model(identity: Mapping[str, str]) -> str:
    return f"{identity['model']} ({identity['provider']})"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def seconds_text(seconds: float) -> str:
    """Seconds, milliseconds or microseconds, whichever reads best."""
    if round(seconds * 1e6) < 10_000:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if round(seconds * 1e3, 1) < 1000 else f"{seconds:.2f} s"
