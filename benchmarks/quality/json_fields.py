"""A JSON object, field by field: the share of fields that are right, less one part for each field nobody asked for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.quality.short_answer import normalise

FENCE: Final = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}
"""The types of Python that a schema's words stand for; true and false are boolean alone."""


def score(text: str, reference: dict[str, object], schema: Mapping[str, str] | None = None) -> tuple[float, str]:
    """In [0, 1]: right fields over all fields named by either side; 0 where the answer is no JSON object.

    `schema` has the type of each field by its name; the reason names the wrong fields that are of another one.
    """
    text = text.strip()
    fenced = FENCE.match(text)
    try:
        answer: Any = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):  # a number of thousands of digits is no JSONDecodeError
        return 0.0, "no JSON"
    if not isinstance(answer, dict):
        return 0.0, "JSON, but no object"
    wrong = [name for name, value in reference.items() if name not in answer or not _same(answer[name], value)]
    extra = [name for name in answer if name not in reference]
    if not wrong and not extra:
        return 1.0, "every field right"
    types = schema or {}
    told = [
        name if name not in answer or name not in types or fits(answer[name], types[name])
        else f"{name} (no {types[name]})"
        for name in wrong
    ]  # fmt: skip
    faults = [f"wrong: {', '.join(told)}"] * bool(wrong) + [f"{len(extra)} not asked for"] * bool(extra)
    return (len(reference) - len(wrong)) / (len(reference) + len(extra)), "; ".join(faults)


def fits(value: object, kind: str) -> bool:
    """Whether a value is of a schema's type."""
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _same(answer: object, reference: object) -> bool:
    """Numbers by value, texts as short answers, lists and objects part by part; true is not 1 and "5" is not 5."""
    if isinstance(answer, bool) or isinstance(reference, bool):
        return answer is reference
    if isinstance(answer, int | float) and isinstance(reference, int | float):
        try:
            return math.isclose(answer, reference, rel_tol=1e-9)
        except OverflowError:  # a whole number that no float holds
            return answer == reference
    if isinstance(answer, str) and isinstance(reference, str):
        return normalise(answer) == normalise(reference)
    if isinstance(answer, list) and isinstance(reference, list):
        return len(answer) == len(reference) and all(map(_same, answer, reference))
    if isinstance(answer, dict) and isinstance(reference, dict):
        return answer.keys() == reference.keys() and all(_same(answer[name], reference[name]) for name in reference)
    return answer is None and reference is None
