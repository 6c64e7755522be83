"""What a run left to be labelled: the pairs of answers that differ, in a random order that nobody can choose.

Two answers are equal where they are the same value as JSON, the same number, or the same text as the short-answer
scorer compares it; where the reference is a number, where the number that the scorer would read is the same. Such a
pair counts as no difference and is not shown. Requests of one question with the same two answers are one pair; a
question with several pairs counts once, shared among them as often as each came up.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.quality import numeric
from benchmarks.quality.json_fields import FENCE
from benchmarks.quality.short_answer import normalise
from benchmarks.quality.stratified import Differing, Frame
from shared.contract import canonical_json
from shared.errors import BadInput
from shared.files import sha256_of

NEEDED: Final = {
    "request", "item", "group", "task", "history", "question", "reference", "arm", "text", "model", "error", "score",
    "steps",
}  # fmt: skip
MARGIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers that differ. `request` is the first that got them; a text is None where there was no answer.

    `rule` is direct's score less legacy's by the rule-based scorer, None where there is no reference.
    """

    request: int
    item: str
    task: str
    history: Sequence[Sequence[str]]
    question: str
    reference: Any
    legacy: str | None
    direct: str | None
    rule: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison's directory. `pairs` and the frame's are the same ones, in the order they are labelled in.

    `models` and `weights` are of all that answered; `without_texts` counts questions whose answers were not kept.
    """

    directory: Path
    digest: str
    seed: int
    pairs: Sequence[Pair]
    frame: Frame
    without_texts: int
    margin: float
    models: frozenset[str]
    weights: frozenset[str]


def read(directory: Path) -> Run:
    """Raises `BadInput` where there is no run, no text was kept, or no two answers differ."""
    file = directory / "requests.jsonl"
    rows = _rows(file)
    digest = sha256_of(file)
    items: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for legacy, direct in _both(rows):
        items.setdefault(legacy["item"], [])
        if all(row["text"] is not None or row["error"] is not None for row in (legacy, direct)):
            items[legacy["item"]].append((legacy, direct))
    told = {item: asked for item, asked in items.items() if asked}
    if not told:
        raise BadInput(f"{file} holds no texts of both systems' answers; compare systems whose answers are kept")
    pairs = [pair for asked in told.values() for pair in _differing(asked)]
    if not pairs:
        raise BadInput(f"{directory}: the answers to {len(told):,} questions never differ; there is nothing to label")
    seed = int(digest[:8], 16)
    pairs = _shuffled(pairs, seed)
    report = _report(directory)
    return Run(
        directory,
        digest,
        seed,
        [pair for pair, _ in pairs],
        Frame([differing for _, differing in pairs], Counter(str(asked[0][0]["group"]) for asked in told.values())),
        len(items) - len(told),
        _margin(report),
        frozenset(_models(rows)),
        frozenset(each["version"] for each in _identities(report) if each.get("version")),
    )


def normal(text: str, reference: object = None) -> str:
    """The form in which two answers are compared."""
    text = text.strip()
    if isinstance(reference, int | float) and not isinstance(reference, bool):
        marks = list(numeric.MARK.finditer(text))
        found = numeric.NUMBER.search(text, marks[-1].end()) if marks else None
        found = found or next(reversed(list(numeric.NUMBER.finditer(text))), None)
        text = found[0] if found else text
    fenced = FENCE.match(text)
    try:
        value = json.loads(fenced.group(1) if fenced else text)
        if isinstance(value, dict | list):
            return "json " + canonical_json(_normal_value(value))
    except (ValueError, RecursionError):
        pass
    plain = normalise(text)
    number = _number(plain)
    return f"text {plain}" if number is None else f"number {number!r}"


def _normal_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normal_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_normal_value(inner) for inner in value]
    if isinstance(value, str):
        return normalise(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return value


def _number(text: str) -> float | None:
    text = text.replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    value = float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) else math.inf
    return value + 0.0 if math.isfinite(value) else None  # -0 is 0


def _differing(asked: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[tuple[Pair, Differing]]:
    """The pairs of one question."""
    forms = [tuple(_form(row) for row in both) for both in asked]
    counts, found = Counter(forms), {}
    for (legacy, direct), form in zip(asked, forms, strict=True):
        if form[0] == form[1] or form in found:
            continue
        scores = [row["score"] for row in (direct, legacy)]
        rule = None if legacy["reference"] is None or None in scores else scores[0] - scores[1]
        pair = Pair(
            legacy["request"], legacy["item"], legacy["task"], legacy["history"], legacy["question"],
            legacy["reference"], legacy["text"], direct["text"], rule,
        )  # fmt: skip
        found[form] = pair, Differing(legacy["task"], str(legacy["group"]), counts[form] / len(asked))
    return list(found.values())


def _form(row: Mapping[str, Any]) -> str | None:
    return None if row["text"] is None else normal(row["text"], row["reference"])


def _shuffled(pairs: Sequence[tuple[Pair, Differing]], seed: int) -> list[tuple[Pair, Differing]]:
    """So that each first part is a simple random sample of every task, in proportion to the task's size."""
    rng = random.Random(seed)  # noqa: S311  # a sample, no secret
    tasks: dict[str, list[tuple[Pair, Differing]]] = {}
    for pair in pairs:
        tasks.setdefault(pair[1].stratum, []).append(pair)
    placed = []
    for mine in tasks.values():
        rng.shuffle(mine)
        placed += [((place + rng.random()) / len(mine), pair) for place, pair in enumerate(mine)]
    return [pair for _, pair in sorted(placed, key=lambda each: each[0])]


def _both(rows: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    arms: dict[str, dict[int, Mapping[str, Any]]] = {"legacy": {}, "direct": {}}
    for row in rows:
        if row["arm"] in arms:
            arms[row["arm"]][row["request"]] = row
    legacy, direct = arms["legacy"], arms["direct"]
    return [(legacy[number], direct[number]) for number in sorted(set(legacy) & set(direct))]


def _models(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    called = {step["call"]["model"] for row in rows for step in row["steps"] or () if step["call"]}
    return called | {row["model"] for row in rows if row["model"]}


def _rows(file: Path) -> list[dict[str, Any]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        raise BadInput(f"{file} is missing; name a directory that crossover compare wrote") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not set(row) >= NEEDED:
            raise BadInput(f"{file} line {number} is no row of a comparison; run crossover compare again")
        rows.append(row)
    return rows


def _report(directory: Path) -> Mapping[str, Any]:
    """`report.json`, or {} where the run left none."""
    try:
        report = json.loads((directory / "report.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _margin(report: Mapping[str, Any]) -> float:
    margin = report.get("quality", {}).get("margin")
    return MARGIN if margin is None else float(margin)


def _identities(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(report.get("provenance", {}).get("models", {}).values())
