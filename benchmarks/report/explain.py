"""One request's whole story out of a report's directory: question, both answers, steps, scores, cause."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.terminal import nearest, seconds_text
from benchmarks.rows import CALLS
from shared.errors import BadInput

NEEDED = {"request", "item", "task", "repeat", "arm", "text", "error", "score", "reason", "model"}
NEEDED |= {"steps", "latency_s", "cost_usd", "history", "question", "reference"}


def explain(directory: Path, asked: str) -> int:
    """Print the story of a request number, or of the first request for an item."""
    rows, standing = _rows(directory / "requests.jsonl"), _standing(directory / "report.json")
    found = [row for row in rows if str(row["request"]) == asked] or [row for row in rows if row["item"] == asked]
    if not found:
        last = max(row["request"] for row in rows)
        raise BadInput(f"{directory} has no request or item {asked!r}; requests are numbered 0 to {last}")
    number = found[0]["request"]
    pair = {row["arm"]: row for row in found if row["request"] == number}
    first = found[0]
    print(f"request {number}: item {first['item']}, task {first['task']}{', asked before' if first['repeat'] else ''}")
    for user, assistant in first["history"]:
        print(f"  earlier:   {_inline(user)} -> {_inline(assistant)}")
    print(f"  question:  {_inline(first['question'])}")
    print(
        f"  reference: {'none' if first['reference'] is None else json.dumps(first['reference'], ensure_ascii=False)}"
    )
    for arm, row in sorted(pair.items(), reverse=True):
        print("\n" + "\n".join(_story(arm, row, standing)))
    if len(pair) == 2:
        print(f"\ncause: {cause(pair['legacy'], pair['direct'])}")
    others = sorted({row["request"] for row in rows if row["item"] == first["item"]} - {number})
    if others:
        print(f"also asked as request {', '.join(map(str, others))}")
    return 0


def cause(legacy: Mapping[str, Any], direct: Mapping[str, Any]) -> str:
    """Why the two scores differ, as far as the steps tell."""
    if legacy["score"] is None or direct["score"] is None:
        return f"not known: {legacy['reason'] if legacy['score'] is None else direct['reason']}"
    if legacy["score"] == direct["score"]:
        return "no difference in score"
    better, worse = (legacy, direct) if legacy["score"] > direct["score"] else (direct, legacy)
    return f"{better['arm']} did better: {_who(better)} scored {better['score']:g}, {_who(worse)} {worse['score']:g}"


def _who(row: Mapping[str, Any]) -> str:
    if row["error"]:
        return "no answer"
    kinds = {step["kind"]: step["outcome"] for step in row["steps"] or ()}
    if "ok" in (kinds.get("cache"), kinds.get("similar")):
        return f"{row['model']} from the cache"
    for kind in CALLS:
        if kinds.get(kind) == "ok":
            return f"{row['model']} ({kind})"
    return row["model"] or "a model that is not told"


def _story(arm: str, row: Mapping[str, Any], standing: Mapping[str, str]) -> list[str]:
    said = row["error"] or "(text not kept)" if row["text"] is None else _inline(row["text"])
    lines = [f"{arm}: {said}"]
    lines.append(f"  score {'not measured' if row['score'] is None else format(row['score'], 'g')}: {row['reason']}")
    if row["steps"] is None:
        lines.append("  steps not told")
    for step in row["steps"] or ():
        call = step["call"]
        parts = [f"{step['kind']} {step['outcome']}", f"{step['seconds'] * 1e3:.3f} ms here"]
        if call:
            took = "time not known" if call["seconds"] is None else f"{call['seconds']:.3f} s {call['timing']}"
            parts.append(f"{call['model']}, {call['input_tokens']} tokens in, {call['output_tokens']} out, {took}")
        parts += [step["detail"]] * bool(step["detail"]) + ["after the answer"] * step["after_answer"]
        lines.append("  step " + "; ".join(parts))
    latency, cost = row["latency_s"], row["cost_usd"]
    replayed = row["steps"] is None or any(
        step["call"] and step["call"]["timing"] != "measured" for step in row["steps"]
    )
    word = nearest(standing, f"/latency/{arm}/mean_s") if replayed else "measured"
    took = "not measured" if latency is None else f"{seconds_text(latency)} ({word})"
    called = any(step["call"] for step in row["steps"] or ())
    missing = "not known" if called else "not measured"
    paid = missing if cost is None else f"${cost:.8f} ({nearest(standing, f'/cost/{arm}/usd_per_answer')})"
    lines.append(f"  latency {took}, cost {paid}")
    return lines


def _standing(file: Path) -> Mapping[str, str]:
    """The report's words; none where the run left no report."""
    try:
        words = json.loads(file.read_bytes())["standing"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return words if isinstance(words, dict) else {}


def _rows(file: Path) -> Sequence[dict[str, Any]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        raise BadInput(f"{file} is missing; name a directory that crossover compare wrote") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append(row)
            if not set(row) >= NEEDED:
                raise KeyError
        except (ValueError, TypeError, KeyError):
            raise BadInput(f"{file} line {number} is no row of a comparison; run crossover compare again") from None
    if not rows:
        raise BadInput(f"{file} is empty; run crossover compare again")
    return rows


def _inline(text: str) -> str:
    return text.replace("\n", " / ")
