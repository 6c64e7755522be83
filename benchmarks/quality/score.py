"""Score one answer against its item's reference: the only place that knows which scorer has which name."""

from __future__ import annotations

import json
from decimal import Decimal

from benchmarks.quality import grammar, json_fields, label, numeric, outcome, short_answer
from benchmarks.rows import Score
from benchmarks.workloads.workload import Item, Workload
from shared.errors import BadInput


def score(text: str, item: Item, workload: Workload) -> Score:
    """Raises `BadInput` naming the item and the remedy where the reference does not fit its scorer."""
    name, reference = workload.scorer(item), item.reference
    try:
        if name == "label":
            return Score(*label.score(text, _text(reference), workload.tasks[item.task].labels))
        if name == "numeric":
            return Score(*numeric.score(text, *_number(reference)))
        if name == "outcome":
            return Score(*outcome.score(text))
        if name == "json_fields":
            return Score(*json_fields.score(text, _object(reference), item.fields))
        if name == "grammar":
            return Score(*grammar.score(text, item.input, _texts(reference)))
        return Score(*short_answer.score(text, _texts(reference)))
    except TypeError as error:
        raise BadInput(
            f"item {item.id}: reference does not fit scorer {name!r}: {error}; "
            "mend the reference or choose another scorer"
        ) from None


def rejected(item: Item, workload: Workload) -> list[int]:
    """Which accepted answers of an item, counted from 1, do not get full marks: such a one no model can give.

    Raises `BadInput` where the reference does not fit its scorer.
    """
    reference = item.reference
    each = reference if isinstance(reference, list) and reference else [reference]
    return [place for place, answer in enumerate(each, 1) if score(_written(answer), item, workload).value < 1]


def _written(answer: object) -> str:
    """A reference as a model would write it."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return f"{Decimal(str(answer)):f}"
    return json.dumps(answer, ensure_ascii=False)


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise TypeError(f"a text is needed, this is {value!r}")


def _number(value: object) -> tuple[float, str | None]:
    if found := numeric.parse(value):
        return found
    if isinstance(value, int) and not isinstance(value, bool):
        raise TypeError("the number is too large")
    raise TypeError(f"a number is needed, or a text of one and its unit such as '3.5 km', this is {value!r}")


def _texts(value: object) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return value
    raise TypeError(f"a list of accepted texts is needed, this is {value!r}")


def _object(value: object) -> dict[str, object]:
    if isinstance(value, dict) and value:
        return value
    raise TypeError(f"an object is needed, this is {value!r}")
