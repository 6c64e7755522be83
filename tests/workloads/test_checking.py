"""`crossover workload check`: for each check a workload that trips it, beside the same one without the fault."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.workloads.checking import LEAST_TEST, check
from benchmarks.workloads.workload import Item, load
from shared.backends.recorded import Header, RecordedModel, Row, recording_key
from shared.errors import BadInput

TASKS = """
[sums]
scorer = "numeric"
instruction = "Add."
examples = [{ input = "What is two and two?", output = "4" }]
[mood]
scorer = "label"
labels = ["glad", "sad"]
instruction = "Name the mood."
[facts]
scorer = "short_answer"
instruction = "Answer."
[fields]
scorer = "json_fields"
instruction = "Write JSON."
"""
PLAIN: dict[str, Any] = {
    "group": "g1", "task": "sums", "input": "What is 1 and 1?", "reference": 2, "author": "a", "source": "own",
    "licence": "CC0",
}  # fmt: skip

Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Writes a workload of items that differ from a plain one as said; a group and an id of its own unless given."""

    def written(*changes: Mapping[str, Any]) -> Path:
        (tmp_path / "tasks.toml").write_text(TASKS, encoding="utf-8")
        lines = [{**PLAIN, "id": f"i{place}", "group": f"g{place}", **each} for place, each in enumerate(changes)]
        (tmp_path / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return tmp_path

    return written


def group_in(split: str, beside: str = "") -> str:
    """The name of a group that falls into a split."""
    for number in range(1000):
        name = f"{split}-{beside}-{number}"
        if Item.model_validate({**PLAIN, "id": "x", "group": name}).split == split:
            return name
    raise AssertionError(split)


# --- lines ---


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "not JSON in UTF-8"),
        (b"", "not JSON in UTF-8"),
        (b'{"id": "\xff"}', "not JSON in UTF-8"),
        (b"[1]", "a JSON object is needed, this is list"),
        (b'{"id": ' + b"9" * 5000, "not JSON in UTF-8"),
        (b'{"id": ' + b"[" * 100_000, "nested too deeply"),
        (json.dumps({**PLAIN, "id": "x", "input": "\ud800"}).encode(), "half of a surrogate pair"),
        (json.dumps({**PLAIN, "id": "x", "task": "odd"}).encode(), "'odd' is not in tasks.toml (it has facts, "),
        (json.dumps({**PLAIN, "id": "i0"}).encode(), "the id 'i0' is that of items.jsonl line 1; ids must be unique"),
        (json.dumps({**PLAIN, "levle": "easy"}).encode(), "field `id`: Field required; field `levle`: Extra inputs"),
    ],
)
def test_every_faulty_line_is_named(line: bytes, fault: str, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build({}, {})
    file = folder / "items.jsonl"
    file.write_bytes(file.read_bytes() + line + b"\n" + b'{"id": 7}\n')
    faulty = check(folder)["faulty_lines"]
    assert [each["line"] for each in faulty] == [3, 4]
    assert fault in faulty[0]["fault"]
    assert main(["workload", "check", str(folder)]) == 2
    assert f"{file} line 3: " in capsys.readouterr().out


def test_very_many_faulty_lines_are_cut_on_a_terminal_alone(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build({})
    (folder / "items.jsonl").write_text("{\n" * 80, encoding="utf-8")
    assert main(["workload", "check", str(folder)]) == 2
    assert "... and 30 more; --json has all" in capsys.readouterr().out
    assert main(["workload", "check", str(folder), "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["faulty_lines"]) == 80


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "does not exist; name a workload folder"),
        ("tasks.toml", r"is no \*\.jsonl"),
        ("empty/", r"tasks\.toml is missing"),
        ("bare/", "no items"),
        ("odd/", r"tasks\.toml: task t, field `instruction`: Field required; field `scorer`"),
        ("folders/", r"x\.jsonl cannot be read"),
    ],
)
def test_where_there_is_no_workload_the_error_says_what_to_name(path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text(TASKS)
    for name, tasks in (("empty", None), ("bare", TASKS), ("odd", '[t]\nscorer = "vibes"\n'), ("folders", TASKS)):
        (tmp_path / name).mkdir()
        if tasks:
            (tmp_path / name / "tasks.toml").write_text(tasks)
    (tmp_path / "folders" / "x.jsonl").mkdir()
    with pytest.raises(BadInput, match=message):
        check(tmp_path / path)


def test_a_file_alone_is_checked_by_itself(build: Build) -> None:
    folder = build({}, {})
    (folder / "other.jsonl").write_text("{\n", encoding="utf-8")
    assert check(folder / "items.jsonl")["items"] == 2
    assert len(check(folder)["faulty_lines"]) == 1


def test_a_folder_has_the_version_that_load_gives_it(build: Build) -> None:
    folder = build({}, {"task": "facts", "reference": ["Rome"], "input": "Capital of Italy?"})
    assert check(folder)["version"] == load(folder).version


# --- references ---


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({"reference": 1e-7}, None),
        ({"reference": -2.5}, None),
        ({"reference": "2"}, "numeric needs a number (or a text like '3.5 km') as reference, this is of type str"),
        ({"reference": True}, "needs a number"),
        ({"reference": 10**400}, "too large a number"),
        ({"task": "mood", "reference": "glad"}, None),
        ({"task": "mood", "reference": "angry"}, "none of the task's labels"),
        ({"task": "mood", "reference": ["glad"]}, "label needs a text"),
        ({"task": "facts", "reference": ["Rome", "Roma"]}, None),
        ({"task": "facts", "reference": ["Rome", "", "Roma", "the"]}, "rejects accepted answers 2"),
        ({"task": "facts", "reference": [" "]}, "rejects the reference itself"),
        ({"task": "facts", "reference": []}, "needs a list of accepted texts as reference, this is an empty list"),
        ({"task": "facts", "reference": "Rome"}, "needs a list"),
        ({"task": "facts", "reference": 3, "scorer": "numeric"}, None),
        ({"task": "fields", "reference": {"n": 1}, "schema": {"n": "integer"}}, None),
        ({"task": "fields", "reference": {"n": 1}, "schema": {"n": "number"}}, None),
        ({"task": "fields", "reference": {"n": 1.5}, "schema": {"n": "integer"}}, "is float, its schema says integer"),
        ({"task": "fields", "reference": {"n": True}, "schema": {"n": "number"}}, "is bool, its schema says number"),
        ({"task": "fields", "reference": {"n": 1}, "schema": {"m": "integer"}}, "lacks m of the schema"),
        ({"task": "fields", "reference": {"n": [1, None]}}, None),
        (
            {"scorer": "grammar", "input": "i live in london", "reference": ["I live in London."]},
            "the input differs from an accepted correction only in what the scorer does not count",
        ),
        ({"scorer": "grammar", "input": "I live in London.", "reference": ["I live in London."]}, None),
        ({"task": "fields", "reference": {}}, "needs an object as reference, this is an empty object"),
        ({"scorer": "outcome", "reference": None}, None),
    ],
)
def test_a_reference_that_its_scorer_rejects_is_named(item: dict[str, Any], fault: str | None, build: Build) -> None:
    report = check(build({}, {"input": "Something else entirely", **item}))
    if fault is None:
        assert report["references"] == []
    else:
        assert {each["id"] for each in report["references"]} == {"i1"}
        assert fault in " ".join(each["fault"] for each in report["references"])
        assert any("do not fit their scorer" in finding for finding in report["findings"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30))
def test_every_number_is_accepted_as_its_own_reference(number: float, build: Build) -> None:
    assert check(build({"reference": number}))["references"] == []


# --- relations ---


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({"relation": {"paraphrase_of": "i0"}, "reference": 2.0}, None),
        ({"relation": {"paraphrase_of": "i0"}, "reference": 3}, "their references differ"),
        ({"relation": {"near_miss_of": "i0"}, "reference": 3}, None),
        ({"relation": {"near_miss_of": "i0"}, "reference": 2}, "their references are the same"),
        ({"relation": {"opposite_of": "i0"}, "reference": 2}, "their references are the same"),
        ({"relation": {"opposite_of": "i1"}, "reference": 3}, "opposite_of itself"),
        ({"relation": {"opposite_of": "i9"}, "reference": 3}, "i9, which is not there"),
        ({"relation": {"opposite_of": "i0"}, "reference": 3, "group": "other"}, "in another group"),
    ],
)
def test_a_relation_that_does_not_hold_is_named(item: dict[str, Any], fault: str | None, build: Build) -> None:
    report = check(build({"group": "g"}, {"group": "g", "input": "And 1 and 2?", **item}))
    faults = [each["fault"] for each in report["relations"]]
    assert (len(faults) == 1 and fault in faults[0]) if fault else faults == []


def test_one_accepted_answer_in_common_makes_a_paraphrase(build: Build) -> None:
    first: dict[str, Any] = {"task": "facts", "group": "g", "reference": ["Rome", "Roma"]}
    other = {**first, "reference": ["the ROMA."], "input": "Italy's capital?", "relation": {"paraphrase_of": "i0"}}
    assert check(build(first, other))["relations"] == []


# --- duplicates, examples, leakage ---


def test_one_request_under_two_ids_is_found_in_one_group_and_across(build: Build) -> None:
    report = check(build({"group": "g"}, {"group": "g"}, {"scope": {"tenant": "b"}}, {"input": "Another?"}))
    assert report["duplicates"] == [["i0", "i1", "i2"]]
    assert "1 requests stand under more than one id" in report["findings"]
    assert check(build({}, {"profile": "User: Ann"}))["duplicates"] == []


def test_an_item_that_repeats_an_example_of_its_own_task_is_found(build: Build) -> None:
    asked = {"input": "what is TWO and two"}
    report = check(build(asked, {"input": "And three?"}, {**asked, "task": "facts", "reference": ["4"]}))
    assert report["examples"] == ["i0"]


LONG = "My parcel from Rome came today and the lid of the box was broken, so what do I have to do now?"


def test_near_duplicates_count_across_groups_alone(build: Build) -> None:
    near = {"input": LONG.replace("Rome", "Oslo")}
    report = check(build({"input": LONG}, near, {"input": "Nothing alike"}))["near_duplicates"]
    assert (report["items"], report["pairs"]) == (2, 1)
    assert report["worst"][0]["ids"] == ["i0", "i1"]
    assert "texts" not in report["worst"][0]
    meant = check(build({"input": LONG, "group": "g"}, {**near, "group": "g"}, {"input": "Nothing alike"}))
    assert (meant["near_duplicates"]["items"], meant["near_duplicates"]["within_groups"]) == (0, 2)


def test_the_profile_and_earlier_turns_count_as_text(build: Build) -> None:
    short = {"input": "And now?"}
    one, other = ({**short, "history": [[text, "Yes"]]} for text in (LONG, "How many owls live in this wood by night?"))
    assert check(build(one, other))["near_duplicates"]["items"] == 0
    assert check(build(one, {**short, "profile": LONG}))["near_duplicates"]["items"] == 2


def test_a_near_duplicate_leaks_only_from_training_to_test(build: Build) -> None:
    train, test = group_in("train"), group_in("test")
    near = {"input": LONG.replace("Rome", "Oslo")}
    leaking = check(build({"input": LONG, "group": train}, {**near, "group": test}))
    assert (leaking["leakage"]["items"], leaking["leakage"]["share"]) == (1, 1.0)
    assert any("near-duplicate in training" in finding for finding in leaking["findings"])
    for beside in (group_in("test", "b"), group_in("test", "c")):
        kept = check(build({"input": LONG, "group": beside}, {**near, "group": test}))
        assert kept["leakage"]["items"] == 0
    assert check(build({"input": LONG, "group": train}))["leakage"]["share"] is None


def test_bounds_are_shares_of_all_items(build: Build) -> None:
    """Two near-duplicates are no finding among 200 items, and one among fewer."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    marks = [first + second for first in letters for second in letters]
    others = [{"input": " ".join(mark + "x" * length for length in range(9))} for mark in marks[:200]]
    pair = [{"input": LONG}, {"input": LONG.replace("Rome", "Oslo")}]
    assert not any("another group" in finding for finding in check(build(*pair, *others))["findings"])
    assert any("another group" in finding for finding in check(build(*pair, *others[:150]))["findings"])


# --- templates ---


def test_a_template_filled_from_a_list_is_a_finding(build: Build) -> None:
    report = check(
        build(*({"input": f"How many eggs does {name} get for {len(name)} coins?"} for name in ("Ann", "Bo")))
    )
    assert report["templates"]["skeleton"]["items"] == 2
    assert {f"100.0% of the items come from one {way}; the bound is 2%" for way in ("skeleton", "family", "frame")} <= {
        *report["findings"]
    }
    assert report["templates"]["opening"] == {
        "threshold": 4, "bound": None, "items": 2, "share": 1.0, "ids": ["i0", "i1"],
    }  # fmt: skip
    one_group = check(build(*({"input": f"How many eggs for {coins} coins?", "group": "g"} for coins in (2, 3))))
    assert one_group["templates"]["skeleton"]["items"] == 0
    assert [finding for finding in one_group["findings"] if "come from one" in finding] == [
        "100.0% of the items come from one group; the bound is 2%"
    ]


# --- models ---


def recorded(folder: Path, right: Mapping[str, int], ending: str = "") -> None:
    """One recording a model: so many of the test items right, all others wrong."""
    workload = load(folder)
    (folder / "recordings").mkdir(exist_ok=True)
    for model, count in right.items():
        identity = RecordedModel(provider="local", name=model, sha256="ab" * 32)
        lines = [
            Header(schema="crossover-recording/1", model=identity, workload=workload.name).model_dump_json(
                by_alias=True
            )
        ]
        for place, item in enumerate(workload.split("test")):
            text = str(item.reference) if place < count else "no idea"
            row = Row(key=recording_key(workload.request(item)), id=item.id, text=text, finish_reason="stop")
            lines.append(row.model_dump_json())
        content = "".join(f"{line}\n" for line in lines).encode()
        file = folder / "recordings" / f"{model}.test.jsonl{ending}"
        file.write_bytes(gzip.compress(content) if ending else content)


def questions(count: int, **changes: Any) -> list[dict[str, Any]]:
    group = group_in("test")
    return [{**PLAIN, "group": group, "input": f"What is {number} and 1?", **changes} for number in range(count)]


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        ({"a": 0, "b": 2}, "floor"),
        ({"a": 0, "b": 3}, "between"),
        ({"a": 38, "b": 40}, "ceiling"),
        ({"a": 37, "b": 40}, "between"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_task_without_spread_between_models_is_a_finding(
    right: dict[str, int], verdict: str, ending: str, build: Build
) -> None:
    folder = build(*questions(40))
    recorded(folder, right, ending)
    report = check(folder)
    assert report["models"]["sums"]["verdict"] == verdict
    assert report["models"]["sums"]["models"]["a"] == {"answered": 40, "right": right["a"] / 40}
    assert any(finding.startswith("task sums:") for finding in report["findings"]) == (verdict != "between")
    assert report["models"]["facts"] == {"floor": 0.05, "verdict": None, "models": {}}


def test_the_floor_of_labels_is_the_most_common_one(build: Build) -> None:
    items = [
        *questions(24, task="mood", reference="glad"),
        *questions(16, task="mood", reference="sad", profile="User: Bo"),
    ]
    folder = build(*items)
    recorded(folder, {"a": 24, "b": 8})
    report = check(folder)
    assert report["models"]["mood"]["floor"] == 0.6
    assert report["models"]["mood"]["verdict"] == "floor"
    assert report["tasks"]["mood"]["largest_label_share"] == 0.6


def test_what_is_not_recorded_is_not_measured(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(*questions(40))
    report = check(folder)
    assert report["models"] is None
    assert any("no model's test answers are recorded" in warning for warning in report["warnings"])
    recorded(folder, {"a": 40})
    (folder / "items.jsonl").write_text(
        (folder / "items.jsonl").read_text(encoding="utf-8").replace("and 1?", "and one?"), encoding="utf-8"
    )
    report = check(folder)
    assert report["models"]["sums"] == {"floor": 0.05, "verdict": None, "models": {}}
    main(["workload", "check", str(folder)])
    assert "not measured" in capsys.readouterr().out


def test_items_that_cannot_be_scored_do_not_stop_the_other_checks(build: Build) -> None:
    folder = build(*questions(LEAST_TEST + 1))
    recorded(folder, {"a": 5})
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    lines[0] = lines[0].replace('"reference": 2', '"reference": "two"')
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = check(folder)
    assert len(report["references"]) == 1
    assert report["models"]["sums"]["models"]["a"]["answered"] == LEAST_TEST


def test_few_test_items_are_a_warning(build: Build) -> None:
    assert any("sums has 19 test items" in warning for warning in check(build(*questions(19)))["warnings"])
    warnings = check(build(*questions(20)))["warnings"]
    assert not any("sums" in warning for warning in warnings)
    assert "task facts has no items" in warnings


# --- the command ---


def test_a_sound_workload_gives_0_and_no_text(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build({"input": "Sum of 1 and 1"}, {"input": LONG, "task": "facts", "reference": ["nothing"]})
    assert main(["workload", "check", str(folder)]) == 0
    captured = capsys.readouterr()
    assert "Finding: none." in captured.out
    assert captured.err == ""


def test_findings_give_1_and_texts_only_where_asked(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(build({"input": LONG}, {"input": LONG.replace("Rome", "Oslo")}))
    assert main(["workload", "check", folder]) == 1
    plain = capsys.readouterr().out
    assert "i0 i1" in plain
    assert "parcel" not in plain
    assert main(["workload", "check", folder, "--show"]) == 1
    assert LONG in capsys.readouterr().out
    assert main(["workload", "check", folder, "--json"]) == 1
    printed = capsys.readouterr().out
    assert json.loads(printed)["near_duplicates"]["items"] == 2
    assert main(["workload", "check", folder, "--json"]) == 1
    assert capsys.readouterr().out == printed


def test_a_missing_workload_gives_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workload", "check", str(tmp_path / "none")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""
