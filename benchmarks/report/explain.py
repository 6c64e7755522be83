"""One request's whole story out of a report's directory: question, answers, steps, scores, cause; or the worst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.attribution import EQUAL, KINDS, UNASKED, kinds_of
from benchmarks.report.document import COUNTERFACTUALS, read_rows
from benchmarks.report.terminal import nearest, seconds_text
from benchmarks.rows import CALLS, HITS
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

WORDS: Final = {
    "no_cache": "legacy without its cache",
    "always_large": "always large, no cache",
    "large_with_cache": "always large, with cache",
}
CAUSES: Final = {
    "stale_hit": "hit on another model's answer",
    "false_hit": "false hit",
    "misroute": "misroute",
    "lucky_route": "lucky route",
    "backend_loss": "backend",
    "backend_gain": "backend",
}
AGAIN: Final = "run crossover compare again"


@dataclass(frozen=True, slots=True)
class Told:
    """What a report's directory holds. `report` is {} where the run left none, or none that can be read.

    `others` are the counterfactual rows by request and name, of those that have all three with a score.
    """

    rows: Sequence[Mapping[str, Any]]
    others: Mapping[int, Mapping[str, Mapping[str, Any]]]
    report: Mapping[str, Any]


def explain(directory: Path, asked: str) -> int:
    """Print the story of a request number, of the first request for an item, or of the worst requests of a kind."""
    told = _read(directory)
    if asked in KINDS:
        return _worst(told, asked, directory)
    rows = told.rows
    found = [row for row in rows if str(row["request"]) == asked] or [row for row in rows if row["item"] == asked]
    if not found:
        last = max(row["request"] for row in rows)
        raise BadInput(
            f"{directory} has no request or item {asked!r}; requests are numbered 0 to {last}, and the kinds are "
            f"{', '.join(KINDS)}"
        )
    print(_request(told, found[0]["request"]))
    return 0


def _worst(told: Told, kind: str, directory: Path) -> int:
    if not told.report:
        raise BadInput(f"{directory} has no report.json that can be read; {AGAIN}")
    attribution = told.report["quality"]["attribution"]
    if attribution is None or attribution["cache"] is None:
        raise BadInput(f"{directory} attributes nothing, so it has no {kind}: {why_unattributed(told.report)}")
    numbers = attribution["worst"][kind]
    many = (
        f"the {len(numbers)} worst questions" if len(numbers) > 1 else "the only question" if numbers else "no question"
    )
    print("\n\n".join([f"{kind}: {many} of this kind", *(_request(told, number) for number in numbers)]))
    return 0


def _request(told: Told, number: int) -> str:
    """One request's whole story."""
    pair = {row["arm"]: row for row in told.rows if row["request"] == number}
    first = next(iter(pair.values()))
    lines = [f"request {number}: item {first['item']}, task {first['task']}{', asked before' * bool(first['repeat'])}"]
    lines += [f"  earlier:   {_inline(user)} -> {_inline(assistant)}" for user, assistant in first["history"]]
    reference = "none" if first["reference"] is None else json.dumps(first["reference"], ensure_ascii=False)
    lines += [f"  question:  {_inline(first['question'])}", f"  reference: {reference}"]
    for arm, row in sorted(pair.items(), reverse=True):
        lines += ["", *_story(arm, row, told.report)]
    others = told.others.get(number, {})
    if others:
        lines += ["", *(f"{WORDS[name]}: {_said(row)} ({_scored(row)}, {who(row)})" for name, row in others.items())]
    if len(pair) == 2:
        lines += ["", f"cause: {cause(pair['legacy'], pair['direct'], others, why_unattributed(told.report))}"]
    also = sorted({row["request"] for row in told.rows if row["item"] == first["item"]} - {number})
    if also:
        lines.append(f"also asked as request {', '.join(map(str, also))}")
    return "\n".join(lines)


def why_unattributed(report: Mapping[str, Any]) -> str:
    """Why a request has no cause: the report's own first reason, else that its counterfactual rows are not there."""
    if not report:
        return f"there is no report.json that can be read; {AGAIN}"
    if (kind := _kind("legacy", report)) != "builtin":
        return UNASKED.format(kind)
    attribution = report["quality"]["attribution"]
    if attribution is None:
        return "the run was cut short, or quality is not measured"
    return attribution["reason"] or f"its rows in {COUNTERFACTUALS} are missing; {AGAIN}"


def cause(
    legacy: Mapping[str, Any], direct: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]], why: str
) -> str:
    """Which component makes the two scores differ. `others` are the request's counterfactual rows by name.

    `why` is the reason where there are none.
    """
    if legacy["score"] is None or direct["score"] is None:
        return f"not known: {legacy['reason'] if legacy['score'] is None else direct['reason']}"
    if not others:
        if legacy["score"] == direct["score"]:
            return "no difference in score"
        better, worse = (legacy, direct) if legacy["score"] > direct["score"] else (direct, legacy)
        did = f"{better['arm']} did better, {who(better)} scored {better['score']:g}, {who(worse)} {worse['score']:g}"
        return f"unattributed: {why}; {did}"
    no_cache, large = others["no_cache"], others["always_large"]
    effects = no_cache["score"] - legacy["score"], large["score"] - no_cache["score"], direct["score"] - large["score"]
    hit = next((step["kind"] for step in legacy["steps"] if step["kind"] in HITS and step["outcome"] == "ok"), "")
    small = no_cache["error"] is None and any(
        step["kind"] == "small" and step["outcome"] == "ok" for step in no_cache["steps"]
    )
    between = (legacy, no_cache), (no_cache, large), (large, direct)
    told = [
        f"{CAUSES[kind]}: {who(one)} scored {one['score']:g}, {who(other)} {other['score']:g}"
        for kind, effect, (one, other) in zip(kinds_of(effects, hit=hit, small=small), effects, between, strict=True)
        if abs(effect) > EQUAL
    ]
    return "; ".join(told) or "no difference in score"


def who(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return "no answer"
    kinds = {step["kind"]: step["outcome"] for step in row["steps"] or ()}
    model = row["model"] or "a model that is not told"
    if "ok" in (kinds.get("cache"), kinds.get("similar")):
        return f"{model} from the cache"
    if kinds.get("share") == "ok":
        return f"{model}, called by an equal request"
    for kind in CALLS:
        if kinds.get(kind) == "ok":
            return f"{model} ({kind})"
    return model


def _said(row: Mapping[str, Any]) -> str:
    return row["error"] or "(text not kept)" if row["text"] is None else _inline(row["text"])


def _scored(row: Mapping[str, Any]) -> str:
    return f"score {'not measured' if row['score'] is None else format(row['score'], 'g')}: {row['reason']}"


def _story(arm: str, row: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    lines = [f"{arm}: {_said(row)}", f"  {_scored(row)}"]
    if row["steps"] is None:
        lines.append("  steps not told")
    where = " here" if row.get("scheduled_s") is None else ""  # else the time is virtual
    for step in row["steps"] or ():
        call = step["call"]
        parts = [f"{step['kind']} {step['outcome']}", f"{step['seconds'] * 1e3:.3f} ms{where}"]
        if call:
            took = "time not known" if call["seconds"] is None else f"{call['seconds']:.3f} s {call['timing']}"
            parts.append(f"{call['model']}, {call['input_tokens']} tokens in, {call['output_tokens']} out, {took}")
        parts += [step["detail"]] * bool(step["detail"]) + ["after the answer"] * step["after_answer"]
        lines.append("  step " + "; ".join(parts))
    latency, cost = row["latency_s"], row["cost_usd"]
    took = "not measured" if latency is None else f"{seconds_text(latency)}{timed_as(arm, row, report)}"
    called = any(step["call"] for step in row["steps"] or ())
    missing = "not known" if called else "not measured"
    paid = missing if cost is None else f"${cost:.8f}{paid_as(arm, report)}"
    lines.append(f"  latency {took}, cost {paid}")
    return lines


def timed_as(arm: str, row: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """How this row's own latency came to be, in brackets; nothing where neither the row nor a report tells."""
    kind = _kind(arm, report)
    if kind == "log":
        return " (recorded)"
    if row["steps"] is None:
        return " (measured)" if kind else ""
    replayed = {step["call"]["timing"] for step in row["steps"] if step["call"]} - {"measured"}
    return f" ({' and '.join(sorted(replayed)) or 'measured'})"


def paid_as(arm: str, report: Mapping[str, Any]) -> str:
    """How a known cost came to be, in brackets: the arm's mean may be unknown where this request's cost is not."""
    kind, word = _kind(arm, report), nearest(report.get("standing", {}), f"/cost/{arm}/usd_per_answer")
    if kind is None or word != "unknown":
        return f" ({word})" if kind else ""
    if kind == "log":
        return " (recorded)"
    price = report["provenance"]["prices"].get(f"{arm}.call", {})
    reported = kind != "builtin" and price.get("per_call_usd") is None and price.get("input_usd") is None
    return " (vendor-claimed)" if reported else " (assumed)"


def _kind(arm: str, report: Mapping[str, Any]) -> str | None:
    return report["provenance"]["scenario"][arm]["kind"] if report else None


def _read(directory: Path) -> Told:
    others: dict[int, dict[str, Mapping[str, Any]]] = {}
    rows, beside = read_rows(directory / "requests.jsonl"), directory / COUNTERFACTUALS
    for row in read_rows(beside) if beside.is_file() and beside.stat().st_size else ():
        if row["score"] is not None:
            others.setdefault(row["request"], {})[row["arm"]] = row
    whole = {number: found for number, found in others.items() if set(found) == set(WORDS)}
    try:
        report = json.loads(contents(directory / "report.json", SETTINGS_BYTES))
        report["standing"], report["provenance"]["scenario"], report["provenance"]["prices"]
        if attribution := report["quality"]["attribution"]:
            attribution["cache"], attribution["reason"], [attribution["worst"][kind] for kind in KINDS]
    except (OSError, ValueError, TypeError, KeyError):
        report = {}
    return Told(rows, whole, report)


def _inline(text: str) -> str:
    return text.replace("\n", " / ")
