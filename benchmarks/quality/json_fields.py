"""A JSON object, field by field: the share of fields that are right, less one part for each field nobody asked for."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from benchmarks.quality.short_answer import normalise

FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


def score(text: str, reference: dict[str, object]) -> tuple[float, str]:
    """In [0, 1]: right fields over all fields named by either side; 0 where the answer is no JSON object."""
    text = text.strip()
    fenced = FENCE.match(text)
    try:
        answer: Any = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):  # a number of thousands of digits is no JSONDecodeError
        return 0.0, "no JSON"
    if not isinstance(answer, dict):
        return 0.0, "JSON, but no object"
    wrong = [name for name, value in reference.items() if not _same(answer.get(name), value)]
    extra = [name for name in answer if name not in reference]
    if not wrong and not extra:
        return 1.0, "every field right"
    faults = [f"wrong: {', '.join(wrong)}"] * bool(wrong) + [f"{len(extra)} not asked for"] * bool(extra)
    return (len(reference) - len(wrong)) / (len(reference) + len(extra)), "; ".join(faults)


def _same(answer: object, reference: object) -> bool:
    """Numbers by value, texts as short answers; true is not 1 and "5" is not 5."""
    if isinstance(answer, bool) or isinstance(reference, bool):
        return answer is reference
    if isinstance(answer, int | float) and isinstance(reference, int | float):
        try:
            return math.isclose(answer, reference, rel_tol=1e-9)
        except OverflowError:  # a whole number that no float holds
            return answer == reference
    if isinstance(answer, str) and isinstance(reference, str):
        return normalise(answer) == normalise(reference)
    return False
