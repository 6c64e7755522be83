"""Rows of a comparison by the few fields that a test is about."""

from __future__ import annotations

from typing import Any

from benchmarks.rows import Row, Score
from benchmarks.scenario import Arm
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item
from shared.contract import Message, Request

REQUEST = Request((Message("user", "?"),))


def row(
    arm: Arm,
    number: int,
    item: str = "a",
    *,
    score: float | None = 1.0,
    text: str | None = "yes",
    error: str | None = None,
    reference: Any = "yes",
    task: str = "t",
    group: str | None = None,
    **other: Any,
) -> Row:
    """A request answered, unless there is an `error`: that has no text, and scores 0 where there is a reference."""
    question = Item(
        id=item, group=group or item, task=task, input="?", reference=reference, author="a", source="own", licence="CC0"
    )
    if error:
        text, score = None, None if reference is None else 0.0
    graded = None if score is None else Score(score, "")
    fields = {"latency_s": None, "overhead_s": None, "cost_usd": None, "steps": None} | other
    return Row(Asked(number, question, repeat=False), REQUEST, arm, text, "m", error, graded, **fields)
