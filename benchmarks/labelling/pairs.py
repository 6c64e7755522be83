"""What a run left to be labelled: the pairs of answers that differ, in a random order that nobody can choose.

Two answers with the same score are equal where a scorer would not tell them apart. By the reference: a number, where
the scorer reads the same one; an object, where they are the same JSON value; a label, where they are the same but for
case, spaces, and quotes and marks around them; a list of accepted texts, where case is the same, too, since a
corrected text may differ in it. Without a reference: the same JSON value, the same number, or the same text, of which
one line is compared as a short answer is, and several are with their indentation, case and marks. Such a pair counts as
no difference and is not shown. Requests of one question with the same two answers are one pair; a
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

from pydantic import BaseModel, Field, ValidationError

from benchmarks.quality import numeric
from benchmarks.quality.json_fields import FENCE
from benchmarks.quality.short_answer import normalise, plain
from benchmarks.quality.stratified import Differing, Frame
from benchmarks.report.document import read_rows
from shared.contract import canonical_json
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents, sha256_of

MARGIN: Final = 0.02
READING: Final = re.compile(r"the right number|[-+.\de]+, not [-+.\de]+")
"""Reasons of the numeric scorer that say which number it read, to six digits where that is wrong."""


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


class _Quality(BaseModel):
    margin: float | None = Field(default=None, gt=0, lt=1)


class _Model(BaseModel):
    model: str = ""
    version: str = ""


class _Provenance(BaseModel):
    models: dict[str, _Model]


class _Report(BaseModel):
    """What is read out of `report.json`."""

    quality: _Quality
    provenance: _Provenance


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison's directory. `pairs` and the frame's are the same ones, in the order they are labelled in.

    `models` and `weights` are of all that answered; `unnamed` counts answers of models that are not known.
    `without_texts` counts questions whose answers were not kept.
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
    unnamed: int


def read(directory: Path) -> Run:
    """Raises `BadInput` where there is no run, no text was kept, or no two answers differ."""
    file = directory / "requests.jsonl"
    rows = read_rows(file)
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
    report = _report(directory / "report.json")
    models = report.provenance.models.values()
    return Run(
        directory,
        digest,
        seed,
        [pair for pair, _ in pairs],
        Frame([differing for _, differing in pairs], Counter(str(asked[0][0]["group"]) for asked in told.values())),
        len(items) - len(told),
        report.quality.margin or MARGIN,
        frozenset(model for row in rows for model in _models(row)) | {each.model for each in models if each.model},
        frozenset(each.version for each in models if each.version),
        sum(row["error"] is None and not _models(row) for row in rows),
    )


def normal(text: str, reference: object = None) -> str:
    """The form in which two answers are compared, by what kind of reference there is."""
    text = text.strip("\n").rstrip()
    if (asked := numeric.parse(reference)) and (reading := READING.fullmatch(numeric.score(text, *asked)[1])):
        return f"number {reading[0]}"
    if reference is None or isinstance(reference, dict):
        fenced = FENCE.match(text.strip())
        try:
            value = json.loads(fenced.group(1) if fenced else text)
            if isinstance(value, dict | list):
                return "json " + canonical_json(_normal_value(value, reference))
        except (ValueError, RecursionError):
            pass
    if reference is None:
        number = numeric.parse(f"{plain(text)} m")  # which takes a number with a unit, so this one is all of the text
        return f"number {number[0] + 0.0!r}" if number and math.isfinite(number[0]) else f"text {_free(text)}"
    kept = "".join(filter(str.isalnum, text)) if isinstance(reference, list) else ""
    return f"text {plain(text)} {kept}"


def _free(text: str) -> str:
    """Without a reference: a line as a short answer; several, which may be code or verse, all but their ends."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines) if len(lines) > 1 else normalise(text)


def _normal_value(value: Any, reference: object) -> Any:
    if isinstance(value, dict):
        return {name: _normal_value(inner, reference) for name, inner in value.items()}
    if isinstance(value, list):
        return [_normal_value(inner, reference) for inner in value]
    if isinstance(value, str):
        return _free(value) if reference is None else normalise(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return value


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


def _form(row: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """Answers that the scorer tells apart are not the same, whatever they look like."""
    return None if row["text"] is None else normal(row["text"], row["reference"]), row["score"]


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


def _models(row: Mapping[str, Any]) -> set[str]:
    called = {step["call"]["model"] for step in row["steps"] or () if step["call"]}
    return {model for model in (*called, row["model"]) if model}


def _report(file: Path) -> _Report:
    """What the run's report says; nothing where the run left none. Raises `BadInput` for what is no report."""
    try:
        return _Report.model_validate_json(contents(file, SETTINGS_BYTES))
    except FileNotFoundError:
        return _Report(quality=_Quality(), provenance=_Provenance(models={}))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); it must be a file that may be read") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadInput(
            f"{file} is no report of a comparison: {where or 'it'}: {error.errors()[0]['msg']}; run crossover compare "
            "again"
        ) from None
