"""The built-in workload and its reader: what every item has, where it falls, and what a broken file says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.workloads.workload import Workload, load
from shared.errors import BadInput


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load()


def test_it_is_large_and_wide_enough(workload: Workload) -> None:
    assert len(workload.items) >= 1600
    assert len(workload.split("test")) >= 900
    assert len(workload.tasks) >= 7
    assert {item.task for item in workload.items} == set(workload.tasks)


def test_no_group_stands_on_two_sides_of_a_split(workload: Workload) -> None:
    sides: dict[str, set[str]] = {}
    for item in workload.items:
        sides.setdefault(item.group, set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    counts = Counter(item.split for item in workload.items)
    assert set(counts) == {"train", "validation", "test"}
    assert counts["test"] > counts["train"] > counts["validation"]


def test_related_items_share_a_group_and_answer_as_the_relation_says(workload: Workload) -> None:
    for item in workload.items:
        for relation, other_id in item.relation.items():
            other = workload.by_id[other_id]
            assert other.group == item.group
            assert shared_answer(item.reference, other.reference) == (relation == "paraphrase_of"), item.id


def shared_answer(one: object, other: object) -> bool:
    """Lists hold several accepted answers: one in both is enough."""
    if isinstance(one, list) and isinstance(other, list):
        return bool(set(one) & set(other))
    return one == other


def test_no_two_items_ask_the_same_and_no_example_is_an_item(workload: Workload) -> None:
    asked = [(item.task, item.text(), item.history) for item in workload.items]
    assert len(set(asked)) == len(asked)
    examples = {(name, example.input) for name, task in workload.tasks.items() for example in task.examples}
    assert not examples & {(task, text) for task, text, _ in asked}


def test_every_model_gets_the_same_greedy_request(workload: Workload) -> None:
    for item in workload.items:
        request = workload.request(item)
        assert request.temperature == 0.0
        assert request.messages[0].role == "system"
        assert request.messages[-1].content == item.text()
        assert request.scope == tuple(sorted(item.scope.items()))


def test_labels_are_legal(workload: Workload) -> None:
    for item in workload.items:
        if workload.scorer(item) == "label":
            assert item.reference in workload.tasks[item.task].labels


TASKS = '[t]\nscorer = "numeric"\ninstruction = "Add."\n'
ITEM = {"id": "t-1", "group": "g", "input": "1+1", "reference": 2, "author": "a", "source": "own", "licence": "CC0"}


@pytest.mark.parametrize(
    ("tasks", "lines", "message"),
    [
        (None, [ITEM], r"tasks\.toml is missing"),
        ("[t", [ITEM], r"tasks\.toml: not TOML"),
        (TASKS.replace("numeric", "vibes"), [ITEM], r"tasks\.toml: task t, field `scorer`"),
        (TASKS, [], "no items"),
        (TASKS, [ITEM, ITEM], r"line 2: the id 't-1' is that of t\.jsonl line 1"),
        (TASKS, [ITEM | {"task": "u"}], "line 1: field `task`: 'u' is not in tasks.toml"),
        (TASKS, [ITEM, {"id": "t-2"}], "line 2: field `group`: Field required"),
        (TASKS, [ITEM | {"levle": "easy"}], "line 1: field `levle`: Extra inputs"),
        (TASKS, [["not", "an", "object"]], "line 1: a JSON object is needed, this is list"),
    ],
)
def test_a_broken_workload_names_file_line_and_field(
    tasks: str | None, lines: list[object], message: str, tmp_path: Path
) -> None:
    if tasks is not None:
        (tmp_path / "tasks.toml").write_text(tasks)
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(BadInput, match=message):
        load(tmp_path)


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text(TASKS)
    (tmp_path / "t.jsonl").write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(BadInput, match=r"t\.jsonl line 1: not JSON in UTF-8"):
        load(tmp_path)
