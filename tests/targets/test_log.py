"""Logs: what a line may hold, what it means, and what is said of a line that cannot be believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.quality.score import score
from benchmarks.targets.log import FIELDS, Traffic, read, traffic
from benchmarks.targets.target import Reply
from benchmarks.workloads.workload import ScorerName
from shared import clock
from shared.contract import Message, Usage
from shared.errors import BadInput


def written(file: Path, *rows: dict[str, Any] | bytes) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def one(folder: Path, *rows: dict[str, Any] | bytes, scorer: ScorerName | None = None) -> Traffic:
    return traffic({"legacy": written(folder / "a.jsonl", *rows)}, scorer, None)


def replies(found: Traffic) -> list[Reply]:
    target, workload = found.targets["legacy"], found.workload

    async def asked() -> list[Reply]:
        return [await target.ask(each, workload.request(each.item)) for each in found.stream]

    return clock.run(asked())


FULL = {
    "id": "r1", "input": "2 + 2?", "output": "4", "expected": 4, "latency_ms": 250, "cost_usd": 0.5, "stage": "small",
    "model": "m", "input_tokens": 9, "output_tokens": 1, "timestamp": "2026-11-24T10:00:00Z", "session_id": "s",
    "task": "sums", "error": None, "input_sha256": "a" * 64,
}  # fmt: skip


def test_a_full_line(tmp_path: Path) -> None:
    assert set(FULL) == set(FIELDS)
    found = one(tmp_path, FULL)
    (reply,) = replies(found)
    assert (reply.text, reply.model, reply.error, reply.latency_s, reply.cost_usd) == ("4", "m", None, 0.25, 0.5)
    assert reply.steps is not None
    (step,) = reply.steps
    assert (step.kind, step.outcome) == ("small", "ok")
    assert step.completion is not None
    assert (step.completion.usage, step.completion.seconds, step.completion.timing) == (Usage(9, 1), 0.25, "recorded")
    (item,) = found.workload.items
    assert (item.task, item.group, item.scorer, item.reference) == ("sums", "s", "numeric", 4)


def test_a_line_of_an_id_alone_measures_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", {"id": 1})
    found = traffic({"legacy": file, "direct": file}, None, None)
    assert replies(found) == [Reply(None)]


def test_telemetrys_names_are_taken_flat_and_under_attributes(tmp_path: Path) -> None:
    said = [{"role": "user", "parts": [{"type": "text", "content": "2 + 2?"}]}]
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": "4"}], "finish_reason": "stop"}]
    attributes = {
        "gen_ai.request.model": "asked", "gen_ai.response.model": "m", "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 1, "gen_ai.conversation.id": "s", "gen_ai.input.messages": said,
        "gen_ai.output.messages": json.dumps(answered),
    }  # fmt: skip
    nested = one(tmp_path, {"id": "r1", "attributes": attributes})
    flat = one(tmp_path, {"id": "r1", **attributes})
    for found in (nested, flat):
        (reply,) = replies(found)
        assert (reply.text, reply.model, reply.usage) == ("4", "m", Usage(9, 1))
        assert found.workload.messages["r1"] == (Message("user", "2 + 2?"),)
        assert found.workload.items[0].group == "s"


def test_a_conversation_is_asked_as_it_was(tmp_path: Path) -> None:
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Yes?"), ("user", "2 + 2?")]
    found = one(tmp_path, {"id": "r1", "input": [{"role": role, "content": content} for role, content in turns]})
    request = found.workload.request(found.stream[0].item)
    assert [(message.role, message.content) for message in request.messages] == turns


def test_equal_questions_are_one_item_and_later_ones_repeats(tmp_path: Path) -> None:
    rows = [{"id": str(number), "input": text, "expected": "x"} for number, text in enumerate(["a", "b", "a"])]
    found = one(tmp_path, *rows, {"id": "3", "input": "a", "expected": "y"})
    assert [(asked.item.id, asked.repeat) for asked in found.stream] == [
        ("0", False),
        ("1", False),
        ("0", True),
        ("3", False),
    ]


@pytest.mark.parametrize(
    ("expected", "scorer", "kind", "reference"),
    [
        ("Paris", None, "short_answer", ["Paris"]),
        (["Paris", "paris, France"], None, "short_answer", ["Paris", "paris, France"]),
        (4, None, "numeric", 4),
        (True, None, "short_answer", ["true"]),
        ({"a": 1}, None, "json_fields", {"a": 1}),
        ("4.5", "numeric", "numeric", 4.5),
        ('{"a": 1}', "json_fields", "json_fields", {"a": 1}),
        ("ok", "label", "label", "ok"),
        (4, "short_answer", "short_answer", ["4"]),
        (None, None, "short_answer", None),
    ],
)
def test_the_scorer_goes_by_what_is_expected(
    tmp_path: Path, expected: Any, scorer: ScorerName | None, kind: str, reference: Any
) -> None:
    (item,) = one(tmp_path, {"id": "1", "input": "q", "expected": expected}, scorer=scorer).workload.items
    assert (item.scorer, item.reference) == (kind, reference)


def test_labels_are_those_that_are_expected(tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "input": str(number), "expected": word} for number, word in enumerate(["spam", "ok", "ok"])
    ]
    found = one(tmp_path, *rows, scorer="label")
    assert found.workload.tasks["log"].labels == ("ok", "spam")


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"input": "q"}, "field `id`: it is missing"),
        ({"id": {}}, "field `id`: a text or a whole number is needed, this is an object"),
        ({"id": "1", "latency_ms": -1}, "field `latency_ms`: it is negative"),
        ({"id": "1", "latency_ms": "12"}, "field `latency_ms`: a number is needed, this is a text"),
        ({"id": "1", "cost_usd": True}, "field `cost_usd`: a number is needed, this is true or false"),
        ({"id": "1", "input_tokens": 1.5}, "field `input_tokens`: a whole number is needed"),
        ({"id": "1", "output_tokens": 10**400}, "field `output_tokens`: a number is needed"),
        ({"id": "1", "stage": "hit"}, "field `stage`: 'hit' is none of cache, small, large, call, direct"),
        ({"id": "1", "input": 3}, "field `input`: a text or a list of messages is needed, this is a number"),
        ({"id": "1", "input": [{"role": "tool", "content": "x"}]}, "field `input`: each message needs a role"),
        ({"id": "1", "input": [{"role": "assistant", "content": "x"}]}, "field `input`: the last message must be from"),
        (
            {"id": "1", "input": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "field `input`: a message holds something other than text",
        ),
        ({"id": "1", "expected": [1]}, "field `expected`: a list must hold the accepted texts"),
        ({"id": "1", "output": "\ud800"}, "field `output`: it holds half a character"),
        ({"id": "1", "attributes": []}, "field `attributes`: an object is needed, this is a list"),
        ({"id": "1", "timestamp": []}, "field `timestamp`: a text or a number is needed"),
        (b'{"id": "1", "cost_usd": NaN}', "not one JSON object"),
        (b'{"id": "1", "cost_usd": 1e999}', "field `cost_usd`: a number is needed"),
        (b'{"id": "1", "expected": 1e999}', "field `expected`: it holds a number that is too large"),
        (b'{"id": "caf\xe9"}', "not UTF-8 (byte 11); save the log as UTF-8"),
        (b'{"id": "1"', "not one JSON object"),
        (b"[" * 100_000, "not one JSON object"),
        (b"[1]", "a JSON object is needed, this is a list"),
    ],
)
def test_a_wrong_line_names_file_line_and_field(tmp_path: Path, row: dict[str, Any] | bytes, error: str) -> None:
    with pytest.raises(BadInput) as caught:
        one(tmp_path, {"id": "first"}, row)
    assert f"a.jsonl line 2: {error}" in str(caught.value)


def test_an_id_twice_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.jsonl line 3: field `id`: 'x' is that of line 1 too"):
        one(tmp_path, {"id": "x"}, b"", {"id": "x"})


def test_an_empty_or_missing_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.jsonl is empty"):
        one(tmp_path)
    with pytest.raises(BadInput, match=r"none\.jsonl cannot be read"):
        read(tmp_path / "none.jsonl")


def test_a_reference_that_its_scorer_cannot_read_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"a\.jsonl line 1: field `expected`: .*does not fit scorer 'numeric'.*\[quality\]"
    ):
        one(tmp_path, {"id": "1", "input": "q", "expected": "Paris"}, scorer="numeric")


@pytest.mark.parametrize("expected", ["", ["Paris", " "]])
def test_an_expectation_that_no_answer_can_meet_names_the_line(tmp_path: Path, expected: Any) -> None:
    with pytest.raises(
        BadInput,
        match=r"a\.jsonl line 2: field `expected`: scorer 'short_answer' would call this very answer wrong; mend it",
    ):
        one(tmp_path, {"id": "1", "input": "p", "expected": "x"}, {"id": "2", "input": "q", "expected": expected})


@pytest.mark.parametrize(
    ("expected", "scorer"),
    [({"a": None, "b": [1, {"c": 2}]}, None), ("Other.", "label"), ("...", None), (1e-07, None), ("-$5", "numeric")],
)
def test_what_is_expected_is_right_by_its_scorer(tmp_path: Path, expected: Any, scorer: ScorerName | None) -> None:
    output = expected if isinstance(expected, str) else json.dumps(expected)
    found = one(tmp_path, {"id": "1", "input": "q", "expected": expected, "output": output}, scorer=scorer)
    (reply,) = replies(found)
    assert score(reply.text or "", found.workload.items[0], found.workload).value == 1


def test_a_unit_that_is_expected_counts(tmp_path: Path) -> None:
    found = one(tmp_path, {"id": "1", "input": "q", "expected": "3.5 km"}, scorer="numeric")
    (item,) = found.workload.items
    assert [score(text, item, found.workload).value for text in ("3.5 km", "3.5 m")] == [1.0, 0.0]


def test_one_log_needs_its_inputs_to_ask_another_system(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2: field `input`: it is missing, so the other system cannot be asked"):
        one(tmp_path, {"id": "1", "input": "q"}, {"id": "2"})


def two(folder: Path, legacy: list[dict[str, Any]], direct: list[dict[str, Any]]) -> Traffic:
    paths = {"legacy": written(folder / "a.jsonl", *legacy), "direct": written(folder / "b.jsonl", *direct)}
    return traffic(paths, None, None)  # type: ignore[arg-type]


def test_two_logs_are_joined_by_id_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    found = two(tmp_path, [{"id": "1"}, {"id": "2"}, {"id": "3"}], [{"id": "3"}, {"id": "2", "expected": "x"}])
    assert [entry.id for entry in found.targets["legacy"].entries] == ["2", "3"]
    assert [entry.id for entry in found.targets["direct"].entries] == ["2", "3"]
    assert found.targets["legacy"].notes == (
        "1 of 3 requests are in a.jsonl only and are left out; log the same request under the same id in both",
    )
    assert found.targets["direct"].notes == ()
    assert [asked.item.reference for asked in found.stream] == [["x"], None]


def test_logs_without_a_common_id_show_an_id_of_each(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no id in common \('1' in .*a\.jsonl and 'r-1' in .*b\.jsonl\)"):
        two(tmp_path, [{"id": "1"}], [{"id": "r-1"}])


def test_logs_that_expect_different_answers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.jsonl line 1 and .*b\.jsonl line 1 expect different answers to '1'"):
        two(tmp_path, [{"id": "1", "expected": "x"}], [{"id": "1", "expected": "y"}])


def test_a_wrong_expectation_is_told_where_it_stands(tmp_path: Path) -> None:
    paths = {
        "legacy": written(tmp_path / "a.jsonl", {"id": "1", "input": "q"}),
        "direct": written(tmp_path / "b.jsonl", {"id": "0"}, {"id": "1", "expected": "Paris"}),
    }
    with pytest.raises(BadInput, match=r"b\.jsonl line 2: field `expected`"):
        traffic(paths, "numeric", None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["input", "input_sha256"])
def test_ids_that_agree_by_accident_are_refused(tmp_path: Path, name: str) -> None:
    legacy = [{"id": str(number), name: f"secret {number}"} for number in range(5)]
    direct = [{"id": str(number), name: f"secret {number + 1}"} for number in range(4)] + [legacy[4]]
    with pytest.raises(BadInput, match="4 of 5 ids have different inputs in the two logs, such as '0'") as caught:
        two(tmp_path, legacy, direct)
    where = f"({tmp_path / 'a.jsonl'} line 1 and {tmp_path / 'b.jsonl'} line 1)"
    assert f"{where}, so these are not the same requests; log the same request under the same id" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(BadInput, match="4 of 5"):
        two(tmp_path, [{"id": "other"}, *legacy], [*direct, {"id": "yet another"}])


def test_a_few_ids_of_different_inputs_are_noted(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]
    legacy: list[dict[str, Any]] = [{"id": "1", "input": "a"}, {"id": "2", "input": "b"}, {"id": "3", "input": "c"}]
    direct: list[dict[str, Any]] = [{"id": "1", "input": said}, {"id": "2", "input": "x"}, {"id": "3"}]
    found = two(tmp_path, legacy, direct)
    (note,) = found.targets["legacy"].notes
    assert note.startswith("1 of 2 ids have different inputs in the two logs, such as '2'")
    assert found.targets["direct"].notes == ()


def test_notes_of_columns_are_of_the_rows_that_are_compared(tmp_path: Path) -> None:
    legacy: list[dict[str, Any]] = [{"id": "1", "latency_ms": 3}, {"id": "2"}, {"id": "3"}]
    paths = {"legacy": written(tmp_path / "a.jsonl", *legacy), "direct": written(tmp_path / "b.jsonl", *legacy[:2])}
    found = traffic(paths, None, 1)  # type: ignore[arg-type]
    assert len(found.targets["legacy"].entries) == len(found.stream) == 1
    (note,) = found.targets["legacy"].notes
    assert note.startswith("1 of 3 requests are in a.jsonl only")


def test_a_column_that_is_there_in_part_is_noted(tmp_path: Path) -> None:
    found = one(tmp_path, {"id": "1", "input": "q", "latency_ms": 3}, {"id": "2", "input": "q"})
    assert "legacy: latency_ms is missing in 1 of 2 answered rows" in found.targets["legacy"].notes[0]


def test_a_failed_request_need_not_tell_anything(tmp_path: Path) -> None:
    row = {"input": "q", "output": "a", "latency_ms": 3, "cost_usd": 0.1, "stage": "large"}
    found = one(tmp_path, {"id": "1", **row}, {"id": "2", "input": "q", "error": "Timeout"})
    assert found.targets["legacy"].notes == ()


def test_equal_hashes_are_one_question(tmp_path: Path) -> None:
    rows = [{"id": str(number), "input_sha256": letter * 64} for number, letter in enumerate("aba")]
    found = two(tmp_path, rows, [{"id": row["id"]} for row in rows])
    assert [(asked.item.id, asked.repeat) for asked in found.stream] == [("0", False), ("1", False), ("0", True)]
    assert two(tmp_path, [{"id": row["id"]} for row in rows], rows).stream == found.stream


lines = st.dictionaries(
    st.sampled_from([*FIELDS, "attributes", "gen_ai.input.messages", "other"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
)


@given(st.lists(lines, min_size=1, max_size=3), st.sampled_from([None, "numeric", "json_fields", "label"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_line_is_read_or_refused_with_its_place(
    tmp_path: Path, rows: list[dict[str, Any]], scorer: ScorerName | None
) -> None:
    file = written(tmp_path / "a.jsonl", *({"input": "q"} | row | {"id": number} for number, row in enumerate(rows)))
    try:
        assert len(replies(traffic({"legacy": file}, scorer, None))) == len(rows)
    except BadInput as refused:
        said = str(refused)
    else:
        said = str(file)
    assert said.startswith(str(file))
