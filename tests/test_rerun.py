"""A run repeated from its provenance comes out the same, or it is said where it does not, and why that may be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import compare, rerun, scenario
from benchmarks.cli import main
from benchmarks.commands.rerun import _text
from benchmarks.scenario import Scenario

Change = Callable[[dict[str, Any]], None]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixty requests in virtual time."""
    out = tmp_path_factory.mktemp("run")
    compare.measure(scenario.load(limit=60), out)
    return out / "report.json"


def changed(run: Path, folder: Path, change: Change) -> Path:
    report = json.loads(run.read_text())
    change(report)
    folder.joinpath("report.json").write_text(json.dumps(report))
    return folder / "report.json"


def test_a_run_in_virtual_time_comes_out_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerun", str(run)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{run} came out the same, outside provenance.run\n"
    assert told.err == ""


def test_the_repeated_run_is_kept_where_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    assert main(["rerun", str(run), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "requests.jsonl").read_bytes() == (run.parent / "requests.jsonl").read_bytes()
    assert (tmp_path / "report.html").is_file()
    reports = [json.loads(file.read_text()) for file in (run, tmp_path / "report.json")]
    for report in reports:
        del report["provenance"]["run"]
    assert json.dumps(reports[0]) == json.dumps(reports[1])


def test_the_run_itself_is_not_written_over(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = run.read_bytes()
    assert main(["rerun", str(run), "--out", str(run.parent)]) == 2
    assert "which would be lost" in capsys.readouterr().err
    assert run.read_bytes() == before


def test_what_differs_is_told_by_its_pointer(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def other(report: dict[str, Any]) -> None:
        report["quality"]["legacy"]["score"] = 2.0
        report["cost"]["a/b"] = 1
        report["provenance"]["run"]["packages"]["litellm"] = "0.1"
        report["provenance"]["workload"]["version"] = "older"

    file = changed(run, tmp_path, other)
    assert main(["rerun", str(file)]) == 1
    told = capsys.readouterr()
    assert "came out otherwise in 3 places:" in told.out
    assert "  /quality/legacy/score: 2.0 -> 0." in told.out
    assert "  /cost/a~1b: 1 -> absent" in told.out
    assert "litellm was 0.1 then and is" in told.err
    assert "the workload was older then and is" in told.err


def test_json_holds_every_difference(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = changed(run, tmp_path, lambda report: report["standing"].update({f"/{place}": "x" for place in range(12)}))
    assert main(["rerun", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["same"], found["virtual_time"], found["changed"]) == (False, True, [])
    assert [each["pointer"] for each in found["differences"]] == [f"/standing/~1{place}" for place in range(12)]


def test_the_first_differences_are_shown_and_long_texts_where_they_part() -> None:
    found = [rerun.Difference(f"/{place}", "a" * 500 + "b" * 90, "a" * 500 + "c" * 9) for place in range(11)]
    told = _text(Path("report.json"), None, rerun.Old({}, scenario.load(), ()), found).splitlines()
    assert told[0] == "report.json came out otherwise in 11 places, the first:"
    assert told[1] == f"  /0: ...{'a' * 20}{'b' * 40}... -> ...{'a' * 20}{'c' * 9}"
    assert len(told) == 12
    assert told[-1].endswith("it is this clone's code, recordings or prices.")


def place(arm: str, **keys: object) -> Change:
    return lambda report: report["provenance"]["scenario"][arm].update(keys)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (place("direct", model="local:qwen-0.5b"), "direct asks local:qwen-0.5b, a live model, which may answer"),
        (place("legacy", large="litellm:gpt-4o"), "legacy asks litellm:gpt-4o, a live model"),
        (place("direct", kind="http", base_url="https://host/v1"), "direct is https://host/v1, which may answer"),
        (place("direct", kind="python", callable="a.b:c"), "direct is the function a.b:c, which may answer"),
        (place("direct", kind="log", path="gone.jsonl", model=None), "`provenance.scenario.direct"),
        (lambda report: report["provenance"].update(stopped="interrupted"), "it was stopped (interrupted)"),
        (place("direct", model="recorded:nobody"), "nobody"),
        (place("direct", hardware="no-such-row"), "hardware 'no-such-row' is no longer known"),
        (lambda report: report["provenance"]["scenario"]["hardware"].update(files=["gone.toml"]), "gone.toml"),
        (place("direct", colour="red"), "provenance.scenario.direct.builtin.colour"),
        (lambda report: report["provenance"]["scenario"].pop("direct"), "its provenance is incomplete"),
        (lambda report: report["provenance"].update(scenario=[]), "its provenance is incomplete"),
        (lambda report: report["provenance"].update(run=None), "its provenance is incomplete"),
        (lambda report: report.update(provenance="x"), "its provenance is incomplete"),
        (lambda report: report.update(schema="other/1"), "`schema` is 'other/1'"),
    ],
)
def test_what_cannot_be_repeated_is_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, why: str
) -> None:
    file = changed(run, tmp_path, change)
    assert main(["rerun", str(file), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"crossover: {file}")
    assert why in told
    assert not (tmp_path / "out").exists()


def test_two_logs_come_out_the_same_while_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for arm, right in (("legacy", 3), ("direct", 4)):
        lines = [
            {"id": f"r{place}", "input": f"question {place}", "expected": "yes", "latency_ms": 10 + place,
             "output": "yes" if place % 5 < right else "no"} for place in range(40)
        ]  # fmt: skip
        (tmp_path / f"{arm}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = "".join(f'[{arm}]\nkind = "log"\npath = "{arm}.jsonl"\n' for arm in ("legacy", "direct"))
    (tmp_path / "mine.toml").write_text(text)
    assert main(["compare", "mine.toml", "--out", "results"]) == 0
    capsys.readouterr()
    assert main(["rerun", "results/report.json"]) == 0
    (tmp_path / "direct.jsonl").unlink()
    assert main(["rerun", "results/report.json"]) == 2
    told = capsys.readouterr().err
    assert f"results/report.json cannot be repeated here, from {tmp_path}: log direct.jsonl cannot be read" in told


def test_in_real_time_it_points_to_the_comparison_that_knows_noise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = scenario.load(limit=20)
    untimed = {arm: {**part, **dict.fromkeys([key for key in part if "hardware" in key])} for arm, part in
               chosen.model_dump(mode="json").items() if arm in ("legacy", "direct")}  # fmt: skip
    real = Scenario.model_validate({**chosen.model_dump(mode="json"), **untimed})
    assert not real.virtual
    compare.measure(real, tmp_path / "run")
    assert main(["rerun", str(tmp_path / "run" / "report.json")]) == 1
    assert "It ran in real time, where times differ anyway: crossover diff" in capsys.readouterr().out


@pytest.mark.parametrize("preset", ["hardwired", "between"])
def test_a_scenario_is_what_its_provenance_says(preset: str) -> None:
    chosen = scenario.load(preset=preset, limit=10, seed=3)
    told = json.loads(json.dumps(chosen.model_dump(mode="json")))
    assert Scenario.model_validate(told).model_dump(mode="json") == told


def test_measuring_prints_nothing_writes_nothing_and_returns_what_the_file_holds(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    report = compare.measure(scenario.load(limit=60))
    assert "".join(capsys.readouterr()) == ""
    assert list(tmp_path.iterdir()) == []
    held = json.loads(run.read_text())
    for each in (report, held):
        del each["provenance"]["run"]
    assert report == held


def test_it_can_be_measured_from_a_running_loop_in_a_thread() -> None:
    async def in_a_notebook() -> dict[str, Any]:
        return await asyncio.to_thread(compare.measure, scenario.load(limit=10))

    assert asyncio.run(in_a_notebook())["schema"] == "crossover-report/1"


@given(VALUES, VALUES)
def test_values_differ_exactly_where_their_json_does(one: Any, other: Any) -> None:
    assert list(rerun.differences(one, one)) == []
    found = list(rerun.differences(one, other))
    assert bool(found) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    back = list(rerun.differences(other, one))
    assert sorted((each.pointer, each.after, each.before) for each in back) == sorted(found)


def test_a_report_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerun", str(tmp_path / "report.json")]) == 2
    assert "report.json cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main(["rerun", str(tmp_path)]) == 2
    assert f"name the report in it: {tmp_path / 'report.json'}" in capsys.readouterr().err
