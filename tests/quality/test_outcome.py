"""Ready outcomes: read as they were given, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import outcome
from benchmarks.quality.score import score
from benchmarks.workloads.workload import Item, Task, Workload
from shared.errors import BadInput


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0), ("0", 0.0), ("0.35", 0.35), ("true", 1.0), ("FALSE", 0.0), (" yes ", 1.0), ("No", 0.0),
        ("1.0", 1.0), ("1e-3", 0.001),
    ],
)  # fmt: skip
def test_an_outcome_is_taken_as_given(text: str, value: float) -> None:
    assert outcome.score(text) == (value, "the outcome as given")


@pytest.mark.parametrize("text", ["", "1.01", "-0.1", "nan", "inf", "maybe", "0_1", "100%", "right"])
def test_what_is_no_outcome_is_no_wrong_answer(text: str) -> None:
    with pytest.raises(BadInput, match="import the table again"):
        outcome.score(text)


@pytest.mark.parametrize(
    ("value", "parsed"), [(True, 1.0), (False, 0.0), (1, 1.0), (0.5, 0.5), (2, None), (None, None)]
)
def test_values_of_json_are_outcomes_too(value: object, parsed: float | None) -> None:
    assert outcome.parse(value) == parsed


@given(st.floats(0, 1))
def test_a_number_survives_being_written_down(number: float) -> None:
    assert outcome.parse(repr(number)) == number


def test_the_item_needs_no_reference() -> None:
    item = Item(id="a", group="g", task="t", input="?", reference=None, author="a", source="s", licence="l")
    workload = Workload("w", {"t": Task(instruction="", scorer="outcome")}, (item,), "v")
    graded = score("0.35", item, workload)
    assert graded is not None
    assert graded.value == 0.35
