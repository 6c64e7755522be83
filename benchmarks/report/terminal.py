"""The table a person reads. Every row says how its figures came to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Table = list[tuple[str, str, str, str]]


def table(report: Mapping[str, Any]) -> str:
    """One table, the notes that belong to it, and nothing that is not in `report`."""
    standing = report["standing"]

    def row(name: str, pointer: str, show: Callable[[float], str]) -> tuple[str, str, str, str]:
        """`pointer` with {} for the arm."""
        values, words = [], []
        for arm in ("legacy", "direct"):
            value: Any = report
            for part in pointer.format(arm).strip("/").split("/"):
                value = value[part]
            word = nearest(standing, pointer.format(arm))
            missing = "not known" if word == "unknown" else "too few"
            values.append(missing if value is None else show(value))
            words.append(word)
        return name, values[0], values[1], words[0] if words[0] == words[1] else " / ".join(words)

    rows: Table = [
        ("", "legacy", "direct", "standing"),
        row("quality, each question once", "/quality/per_question/{}", _percent),
        row("quality, this traffic", "/quality/per_request/{}", _percent),
        row("requests not answered", "/quality/failed/{}", str),
        row("latency p50", "/latency/{}/p50_s", seconds_text),
        row("latency p95", "/latency/{}/p95_s", seconds_text),
        row("latency mean", "/latency/{}/mean_s", seconds_text),
        row("pipeline overhead p50", "/latency/{}/overhead_p50_s", seconds_text),
        row("cost per 1,000 answers", "/cost/{}/usd_per_answer", lambda usd: f"${usd * 1000:.4f}"),
        row("cache hit rate", "/cost/{}/hit_rate", _percent),
        row("answered by the small model", "/cost/{}/small_share", _percent),
        row("model calls per answer", "/cost/{}/calls_per_answer", lambda calls: f"{calls:.3f}"),
        row("lines of code", "/maintenance/{}/lines", str),
        row("knobs", "/maintenance/{}/knobs", str),
    ]
    widths = [max(len(line[column]) for line in rows) for column in range(4)]
    lines = [
        f"{name:<{widths[0]}}  {legacy:>{widths[1]}}  {direct:>{widths[2]}}  {word}".rstrip()
        for name, legacy, direct, word in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([_headline(report), "", *lines, "", *_notes(report)])


def nearest(standing: Mapping[str, str], pointer: str) -> str:
    """The word of the longest pointer that holds for this one."""
    while pointer:
        if pointer in standing:
            return standing[pointer]
        pointer = pointer.rpartition("/")[0]
    return "unknown"


def _headline(report: Mapping[str, Any]) -> str:
    quality, scenario = report["quality"], report["provenance"]["scenario"]
    traffic = scenario["traffic"]
    name = scenario["preset"] if len(scenario["stand_ins"]) == 3 else f"own models over {scenario['preset']}"
    return (
        f"{name}: {quality['requests']} requests over {quality['questions']} questions, "
        f"{1 - quality['questions'] / quality['requests']:.0%} repeats by Zipf {traffic['zipf']:g} (assumed), "
        f"seed {scenario['seed']}"
    )


def _notes(report: Mapping[str, Any]) -> list[str]:
    provenance = report["provenance"]
    models, right = provenance["models"], report["quality"]["right"]
    notes = [
        f"legacy asks {_model(models['legacy.small'])} or {_model(models['legacy.large'])}; "
        f"direct asks {_model(models['direct.call'])}.",
    ]
    if stand_ins := provenance["scenario"]["stand_ins"]:
        notes.append(f"Stand-ins: {'; '.join(stand_ins.values())}.")
    notes += [
        f"Right answers, by question: both {right['both']}, only legacy {right['legacy_only']}, only direct "
        f"{right['direct_only']}, neither {right['neither']}. No interval, so no verdict.",
        "Latency: seconds of the models as recorded where they ran alone on a CPU, plus the pipelines' own time, "
        "measured here."
        if "recorded" in report["standing"].values()
        else "Latency: measured here.",
    ]
    for name, price in provenance["prices"].items():
        figure = "not known"
        if price["input_usd"] is not None:
            figure = f"{price['name']}, ${price['input_usd']:g} in, ${price['output_usd']:g} out per Mtok"
        notes.append(f"Price of {name}: {figure} ({price['source']}).")
    even = report["cost"]["break_even_direct_usd_per_mtok"]
    if even is not None:
        notes.append(
            f"Direct costs less than legacy below ${even:.4f} per Mtok in and out (assumed, as the prices are)."
        )
    notes += [f"Note: {note}." for note in provenance["notes"]]
    if provenance["stopped"]:
        notes.append(f"Stopped early: {provenance['stopped']}.")
    return notes


def _model(identity: Mapping[str, str]) -> str:
    return f"{identity['model']} ({identity['provider']})"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def seconds_text(seconds: float) -> str:
    """Seconds, milliseconds or microseconds, whichever reads best."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-2 else f"{seconds * 1e6:.0f} us"
