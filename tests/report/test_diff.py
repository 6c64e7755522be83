"""Two runs beside one another: what is noise, what is a change, what cannot be told, and the exit code."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import gates
from benchmarks.commands import diff as command
from benchmarks.cost_settings import CostSettings
from benchmarks.latency import percentiles
from benchmarks.maintenance import surface
from benchmarks.quality import paired
from benchmarks.report import diff, diff_gates, diff_text
from benchmarks.report.diff import Change, Difference, word_of
from benchmarks.report.document import row_document
from benchmarks.report.html.run import Run
from benchmarks.scenario import ARMS, Arm, Gates
from shared.contract import Completion, Usage
from shared.errors import BadInput
from shared.pricing import Price
from shared.steps import Step
from tests.rows import row

OTHER: Mapping[str, str] = {"better": "worse", "worse": "better", "more": "fewer", "fewer": "more"}


def a_run(
    name: str = "a",
    scores: Sequence[float] = (1.0, 0.0) * 40,
    *,
    legacy: Sequence[float] | None = None,
    seconds: Sequence[float] | None = None,
    price: float | None = 1.0,
    noise: float | None = None,
    first: int = 0,
    lines: int = 100,
    word: str = "keep",
    **asked: Any,
) -> Run:
    """Direct's scores, one question each; legacy's, the same unless they are given. Seconds are direct's."""
    of = {"legacy": scores if legacy is None else legacy, "direct": scores}
    arms: dict[Arm, list[Any]] = {arm: [] for arm in ARMS}
    for arm in ARMS:
        for n, score in enumerate(of[arm]):
            call = Step("call", "ok", 0.0, 0.1, completion=Completion("x", "m", Usage(100, 10)))
            took = seconds[n] if seconds and arm == "direct" else 0.1 + n / 1000
            arms[arm].append(row(arm, n, f"q{n + first}", score=score, latency_s=took, steps=(call,)))
    prices = {f"{arm}.call": asdict(Price("p", price, price, "a list", "assumed")) for arm in ARMS}
    floor = noise and {"legacy": {"difference": noise}, "direct": {"difference": noise}, "floor": noise}
    traffic = {"workload": "w", "repeat_share": 0.0, "rate": 20.0} | asked
    sizes = {**dict.fromkeys(surface.KEYS), "lines": lines, "functions": 9, "settings": ["one"]}
    scenario = {
        "traffic": traffic,
        "quality": {"scorer": None},
        "cost": CostSettings().model_dump(mode="json"),
        "gates": Gates().model_dump(mode="json"),
    }
    report = {
        "provenance": {
            "scenario": scenario,
            "workload": {"version": "1"},
            "models": {},
            "prices": prices,
            "hardware": {},
            "run": {"date": "2026-11-25T10:00:00+00:00"},
        },
        "maintenance": {"legacy": sizes, "direct": sizes, "drills": None},
        "quality": {**paired.measure(arms), "noise_floor": floor},
        "latency": percentiles.measure(arms),
        "faults": None,
        "verdict": {"overall": word, "by_task": {"t": word}, "reasons": ["a reason"]},
        "standing": {"/quality": "recorded", "/latency": "emulated", "/cost": "assumed", "/maintenance": "measured"},
    }
    rows = [json.loads(json.dumps(row_document(each))) for arm in ARMS for each in arms[arm]]
    return Run(report, rows, (), Path(name))


def words(found: Difference) -> dict[tuple[str, Arm], str]:
    return {(each.name, each.arm): each.word for each in found.changes}


def of(found: Difference, name: str, arm: Arm = "direct") -> Change:
    return next(each for each in found.changes if (each.name, each.arm) == (name, arm))


def exit_of(before: Run, after: Run, **asked: Any) -> int:
    wanted = Gates(**asked)
    return gates.exit_code(diff_gates.measure(diff.compare(before, after), wanted), wanted)


# What is a change


def test_a_run_beside_itself_has_nothing_but_what_is_the_same() -> None:
    found = diff.compare(a_run(), a_run("b"))
    assert set(words(found).values()) <= {"same", "not known"}
    assert words(found)["quality", "direct"] == words(found)["cost of a decision", "direct"] == "same"
    assert found.verdict["by_task"] == {}
    assert "| nothing |" in diff_text.text(a_run(), a_run("b"), found, [], as_markdown=True)


def test_the_same_questions_are_compared_one_by_one() -> None:
    before, after = [0.0] * 10 + [1.0] * 70, [1.0] * 80
    change = of(diff.compare(a_run(scores=before), a_run(scores=after)), "quality")
    assert change.word == "better"
    assert change.estimate == pytest.approx(10 / 80)
    assert change.low is not None
    assert change.low > 0  # ten gained and none lost; two unpaired samples of 80 would not tell


def test_a_difference_within_the_noise_floor_is_noise() -> None:
    before, after = [0.0] * 10 + [1.0] * 70, [1.0] * 80
    assert of(diff.compare(a_run(scores=before, noise=0.2), a_run(scores=after)), "quality").word == "noise"
    assert of(diff.compare(a_run(scores=before), a_run(scores=after, noise=0.05)), "quality").word == "better"


def test_only_questions_that_both_have_are_compared_and_other_traffic_is_not() -> None:
    before, after = a_run(scores=[1.0] * 60), a_run(scores=[1.0] * 60, first=20, seconds=[9.0] * 60, limit=60)
    found = diff.compare(before, after)
    assert (found.questions, found.asked) == (40, (60, 60))
    assert of(found, "p50").word == of(found, "cost of a decision").word == "not compared"
    assert of(found, "p50").why == "other traffic: limit is None, then 60"
    assert "Quality is compared on the 40 questions" in diff_text.text(before, after, found, [], as_markdown=False)


def test_a_question_that_was_rewritten_is_another_one() -> None:
    before, after = a_run(), a_run()
    changed = [{**each, "question": "!"} if each["item"] == "q0" else each for each in after.rows]
    assert diff.compare(before, replace(after, rows=changed)).questions == 79


def test_runs_without_a_common_question_are_refused() -> None:
    with pytest.raises(BadInput, match=r"a/requests\.jsonl and b/requests\.jsonl have no question in common"):
        diff.compare(a_run("a"), a_run("b", first=500))


def test_another_scorer_leaves_quality_uncompared() -> None:
    after = a_run()
    after.report["provenance"]["scenario"]["quality"] = {"scorer": "label"}
    change = of(diff.compare(a_run(), after), "quality")
    assert (change.word, change.why) == ("not compared", "other scorer: None, then label")


def test_seconds_of_another_standing_are_not_compared() -> None:
    after = a_run(seconds=[1.0] * 80)
    after.report["standing"]["/latency"] = "measured"
    change = of(diff.compare(a_run(), after), "p50")
    assert (change.word, change.why) == ("not compared", "seconds were emulated, then measured")


def test_slower_answers_are_worse_and_the_report_has_the_same_figures() -> None:
    rng = random.Random(1)  # noqa: S311  # seeded, no secret
    slow = [rng.uniform(1, 2) for _ in range(80)]
    after = a_run(seconds=slow)
    change = of(diff.compare(a_run(), after), "p50")
    assert change.word == "worse"
    assert change.after == after.report["latency"]["direct"]["p50"]
    assert of(diff.compare(after, a_run()), "p50").word == "better"


def test_a_price_that_doubled_shows_beyond_the_sample_that_both_share() -> None:
    scores = [float(n % 3 > 0) for n in range(80)]
    change = of(diff.compare(a_run(scores=scores, price=1.0), a_run(scores=scores, price=1.1)), "cost of a decision")
    assert change.word == "worse"
    assert change.before is not None
    assert change.estimate == pytest.approx(change.before * 0.1)
    unknown = of(diff.compare(a_run(), a_run(price=None)), "cost of a decision")
    assert (unknown.word, unknown.estimate) == ("not known", None)
    assert unknown.why


def test_counts_are_exact_and_what_one_run_lacks_is_not_known() -> None:
    found = words(diff.compare(a_run(lines=100), a_run(lines=90)))
    assert (found["lines", "legacy"], found["functions", "legacy"]) == ("fewer", "same")
    assert found["failure modes", "direct"] == "not known"


scored = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=12, max_size=12)


@settings(max_examples=10, deadline=None)
@given(scored, scored, st.integers(1, 3))
def test_the_other_way_round_every_change_has_the_other_sign(one: list[float], other: list[float], price: int) -> None:
    before, after = a_run(scores=one), a_run(scores=other, price=float(price), lines=50 * price)
    there, back = diff.compare(before, after), diff.compare(after, before)
    for forth, againt in zip(there.changes, back.changes, strict=True):
        assert againt.word == OTHER.get(forth.word, forth.word)
        if forth.estimate is not None:
            assert againt.estimate == pytest.approx(-forth.estimate)


@given(st.floats(-1, 1), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1)), st.booleans())
def test_only_an_interval_on_one_side_of_0_beyond_the_floor_is_a_change(
    estimate: float,
    half: float,
    floor: float | None,
    less: bool,
) -> None:
    word = word_of(estimate, estimate - half, estimate + half, less_is_better=less, floor=floor)
    sure = abs(estimate) > half and (not floor or abs(estimate) > floor)
    assert (word != "noise") == sure
    if sure:
        assert word == ("better" if (estimate < 0) == less else "worse")


# The exit code


def test_noise_passes_and_a_quality_that_fell_beyond_the_margin_fails() -> None:
    good, bad = a_run(scores=[1.0] * 80), a_run(scores=[0.0] * 20 + [1.0] * 60)
    assert exit_of(good, bad) == 0  # no gate
    assert exit_of(good, bad, quality="not_worse") == 1
    assert exit_of(good, good, quality="not_worse") == 0
    assert exit_of(bad, good, quality="not_worse") == 0


def test_a_quality_that_cannot_be_told_warns_or_fails_as_the_scenario_says() -> None:
    rng = random.Random(3)  # noqa: S311  # seeded, no secret
    before, after = ([float(rng.random() < 0.5) for _ in range(40)] for _ in range(2))
    assert exit_of(a_run(scores=before), a_run(scores=after), quality="not_worse") == 0
    assert exit_of(a_run(scores=before), a_run(scores=after), quality="not_worse", on_inconclusive="fail") == 1


def test_only_direct_is_gated() -> None:
    before, after = a_run(legacy=[1.0] * 80), a_run(legacy=[0.0] * 80)
    assert words(diff.compare(before, after))["quality", "legacy"] == "worse"
    assert exit_of(before, after, quality="not_worse", cost="not_higher") == 0


def test_a_dearer_decision_fails_and_an_unknown_one_is_not_measured() -> None:
    assert exit_of(a_run(), a_run(price=2.0), cost="not_higher") == 1
    assert exit_of(a_run(price=2.0), a_run(), cost="not_higher") == 0
    assert exit_of(a_run(), a_run(price=None), cost="not_higher") == 2


def test_a_p99_needs_an_interval_unless_nothing_changed() -> None:
    rng = random.Random(2)  # noqa: S311  # seeded, no secret
    few = [rng.random() for _ in range(80)]
    assert exit_of(a_run(), a_run(seconds=few), p99_ms=10) == 2
    many = [1.0] * 1400
    fast, slow = (a_run(scores=many, seconds=[rng.uniform(low, low + 0.1) for _ in many]) for low in (0.1, 0.5))
    assert exit_of(fast, slow, p99_ms=1000) == 1
    assert exit_of(slow, fast, p99_ms=1) == 0
    assert exit_of(fast, fast, p99_ms=1) == 0


# What is shown


def test_a_pull_request_gets_fewer_than_forty_lines_and_a_terminal_eighty_columns() -> None:
    before = a_run(scores=[0.0] * 10 + [1.0] * 70)
    after = a_run(scores=[1.0] * 80, price=3.0, seconds=[2.0] * 80, lines=7, word="migrate")
    after.report["provenance"]["models"].update({f"model {n}": n for n in range(28)})
    found = diff.compare(before, after)
    judged = diff_gates.measure(found, Gates(quality="not_worse", cost="not_higher", p99_ms=5))
    marked = diff_text.text(before, after, found, judged, as_markdown=True).splitlines()
    assert marked[0] == "### Verdict: keep, then migrate"
    assert len(marked) < 40
    plain = diff_text.text(before, after, found, judged, as_markdown=False).splitlines()
    assert max(map(len, plain)) <= 80
    assert "Verdict by task: t keep, then migrate." in plain
    assert any(line.startswith("Gate cost on the change: failed") for line in plain)
    assert any(line.endswith("26 more; --json has all.") for line in plain)


def test_the_document_is_json_and_has_every_change() -> None:
    before, after = a_run(), a_run("b", price=2.0)
    found = diff.compare(before, after)
    document = json.loads(json.dumps(diff_text.document(before, after, found, []), allow_nan=False))
    assert document["schema"] == "crossover-diff/1"
    assert [each["word"] for each in document["changes"]] == [each.word for each in found.changes]
    assert document["set_otherwise"][0] == "prices direct.call.input_usd: 1.0, then 2.0"


def test_the_command_reads_two_runs_and_exits_by_the_second_ones_gates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, run in (("a", a_run()), ("b", a_run(price=2.0))):
        (tmp_path / name).mkdir()
        report: dict[str, Any] = {"schema": "crossover-report/1", "cost": {}, "gates": [], **run.report}
        report["provenance"]["scenario"]["gates"] = Gates(cost="not_higher").model_dump(mode="json")
        (tmp_path / name / "report.json").write_text(json.dumps(report), encoding="utf-8")
        lines = "".join(json.dumps(each) + "\n" for each in run.rows)
        (tmp_path / name / "requests.jsonl").write_text(lines, encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json"])
    assert args.run(args) == 1
    assert json.loads(capsys.readouterr().out)["gates"][0]["state"] == "failed"
    args = parser.parse_args(["diff", str(tmp_path / "b"), str(tmp_path / "missing")])
    with pytest.raises(BadInput, match="missing"):
        args.run(args)
