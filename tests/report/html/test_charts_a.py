"""The charts of quality, latency and cost draw what the figures say, whoever wins, and say what is not known."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from benchmarks.compare import compare
from benchmarks.cost.per_decision import PARTS
from benchmarks.quality import paired
from benchmarks.report.html import svg
from benchmarks.report.html.charts import (
    attribution,
    cost,
    latency,
    quality_difference,
    stages,
    where_time_goes,
)
from benchmarks.report.html.run import Run, read_run
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm, load
from tests.cost.test_measure import PRICES, WORK, direct_rows, legacy_rows
from tests.cost.test_measure import cost as cost_of
from tests.quality.test_attribution import CASES, Case, measured, rows_of
from tests.report.html.browser import Open
from tests.report.html.test_charts_b import POOR, parsed, table, texts
from tests.rows import row

CHARTS = (quality_difference, attribution, latency, where_time_goes, cost, stages)
STYLE = Path(svg.__file__).parent / "assets" / "style.css"
Report = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The built-in comparison, with a gate on p99."""
    out = tmp_path_factory.mktemp("run")
    (out / "crossover.toml").write_text("[gates]\np99_ms = 250\n")
    assert compare(load(out / "crossover.toml", limit=400), out) == 2  # a p99 needs more requests
    return read_run(out)


@pytest.fixture
def report(run: Run) -> Report:
    """One to change."""
    return copy.deepcopy(dict(run.report))


def drawn(chart: Any, run: Run) -> str:
    found = chart.chart(run.report, run.rows) if chart is latency else chart.chart(run.report)
    assert isinstance(found, str)
    return found


def boxes(markup: str | None, *colours: str) -> list[tuple[float, float]]:
    """Both ends of each bar whose first class is one of `colours`, legends left out."""
    bars = [each for each in parsed(markup).iter("rect") if (each.get("class") or "").split()[0] in colours]
    ends = [(float(each.get("x", 0)), float(each.get("width", 0))) for each in bars if each.get("height") != "11"]
    return [(x, x + width) for x, width in ends]


def quality(pairs: Sequence[tuple[float, float]], task: str = "t") -> Report:
    """A report of one question a pair of scores."""
    arms: dict[Arm, list[Row]] = {
        arm: [row(arm, number, f"q{number}", score=pair[place], task=task) for number, pair in enumerate(pairs)]
        for place, arm in enumerate(ARMS)
    }
    return {"quality": {**paired.measure(arms), "attribution": None, "noise_reasons": dict.fromkeys(ARMS, "none")}}


def costs(legacy: Sequence[float], direct: Sequence[float], **settings: Any) -> Report:
    """A report of what decisions with these scores cost."""
    found = cost_of(legacy_rows(*legacy), direct_rows(*direct), **settings)
    return {"cost": found, "standing": {"/cost/legacy": "assumed", "/cost/direct": "assumed"}}


# All of them


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.ID)
def test_every_chart_is_a_picture_with_a_title_a_description_a_table_and_words(chart: Any, run: Run) -> None:
    figure = parsed(drawn(chart, run))
    picture = figure.find(".//svg")
    assert picture is not None
    assert figure.get("id") == chart.ID
    assert all("".join(each.itertext()) for name in ("title", "desc") if (each := picture.find(name)) is not None)
    assert len(table(drawn(chart, run))) > 1
    assert chart.words(run.report).endswith(".")
    assert "None" not in "".join(figure.itertext()) + chart.words(run.report)


def test_labels_are_neither_cut_nor_over_one_another(run: Run, opened: Open, tmp_path: Path) -> None:
    everything = costs([1, 1, 0] * 20, [1, 1, 0] * 20, wrong_answer_usd=0.001, cache_storage_usd_per_gb_month=1, **WORK)
    pictures = [*(drawn(chart, run) for chart in CHARTS), cost.chart(everything), quality_difference.chart(
        quality([(1.0, 1.0), (1.0, 0.0)] * 9, task="a task with a name that is very long"))]  # fmt: skip
    page = f"<style>{STYLE.read_text(encoding='utf-8')}</style>{''.join(each or '' for each in pictures)}"
    file = tmp_path / "charts.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><main>{page}</main>", encoding="utf-8")
    with opened(file) as shown:
        assert shown.evaluate(POOR) == []


def test_names_from_data_never_become_markup() -> None:
    found = quality_difference.chart(quality([(1.0, 1.0), (1.0, 0.0)] * 9, task="<b>&"))
    assert "<b>" not in (found or "")
    assert "<b>&" in texts(found)


# Quality


@pytest.mark.parametrize(
    ("pairs", "word", "shape"),
    [
        ([(1.0, 0.0), (1.0, 1.0)] * 100, "worse", "c-bad"),
        ([(0.0, 1.0), (1.0, 1.0)] * 100, "better", "c-good"),
        ([(1.0, 1.0)] * 1000, "equivalent", "c-neutral"),
        ([(1.0, 1.0), (0.0, 1.0), (1.0, 0.0)] * 5, "inconclusive", "s-neutral hollow"),
    ],
)
def test_each_word_has_its_shape_and_is_said(pairs: list[tuple[float, float]], word: str, shape: str) -> None:
    report = quality(pairs)
    found = quality_difference.chart(report)
    marks = [each for each in parsed(found).iter() if each.tag in ("polygon", "rect") and each.get("class") == shape]
    assert len(marks) == 3  # all questions, the one task, the legend
    assert f"that is {word}." in quality_difference.words(report)


def test_the_margin_is_a_gate_left_of_zero_and_tasks_go_from_worst_to_best(run: Run) -> None:
    found = drawn(quality_difference, run)
    (gate,) = [each for each in parsed(found).iter("line") if each.get("class") == "gate"]
    (zero,) = [each for each in parsed(found).iter("line") if each.get("class") == "s-ink"]
    assert float(gate.get("x1", 0)) < float(zero.get("x1", 0))
    tasks = run.report["quality"]["by_task"]
    order = [line[0] for line in table(found)[2:]]
    assert order == sorted(tasks, key=lambda name: tasks[name]["difference"]["estimate"])


def test_one_question_has_no_interval_and_says_so() -> None:
    report = quality([(1.0, 0.0)])
    assert "cannot be decided from 1 item" in texts(quality_difference.chart(report))
    assert quality_difference.words(report) == "Quality cannot be decided from 1 item: no interval, no verdict."


# Attribution


@settings(deadline=None, max_examples=30)
@given(CASES)
def test_the_waterfall_goes_from_legacy_to_direct_without_a_gap(cases: Sequence[Case]) -> None:
    rows = rows_of(cases)
    rows["always_large"] = rows["always_large"][1:]  # one request is unattributed
    judged = paired.measure({"legacy": rows["legacy"], "direct": rows["direct"]})
    report = {"quality": {**judged, "attribution": measured(rows)},
              "provenance": {"scenario": {"legacy": {"kind": "builtin"}}}}  # fmt: skip
    found = attribution.chart(report)
    if len(cases) == 1:
        assert found is None
        assert attribution.words(report).startswith("Nothing could be attributed")
        return
    told = attribution.steps(report)
    assert "unattributed" in [step.name for step in told]
    effects = sum(step.effect for step in told)
    assert judged["legacy"]["score"] + effects == pytest.approx(judged["direct"]["score"], abs=1e-9)
    bars = boxes(found, "c-legacy", "c-direct", "c-good", "c-bad", "c-neutral")
    levels = [float(each.get("x1", 0)) for each in parsed(found).iter("line") if each.get("class") == "s-neutral"]
    assert len(bars) == len(told) + 2
    for bar, ends in zip(bars[1:-1], pairwise(levels), strict=True):
        assert bar == pytest.approx(sorted(ends), abs=1)  # no bar is narrower than 1 px
    assert (levels[0], levels[-1]) == pytest.approx((bars[0][1], bars[-1][1]), abs=1)


def test_who_gains_by_what_is_said(run: Run) -> None:
    said, found = attribution.words(run.report), run.report["quality"]["attribution"]
    points = found["routing_parts"]["misroute"]["effect"] * 100
    assert f"legacy loses {points:.1f} points by misroutes" in said
    assert f"direct loses {-found['backend'] * 100:.1f} points by the model, against always large" in said
    assert "jointly 95 %" in said


def test_what_was_not_attributed_says_why(report: Report) -> None:
    report["quality"]["attribution"] = None
    report["provenance"]["scenario"]["legacy"]["kind"] = "log"
    assert attribution.chart(report) is None
    assert "legacy is of kind log: its models cannot be asked otherwise." in attribution.words(report)


# Latency


def test_each_arm_and_each_way_to_an_answer_has_its_distribution(run: Run) -> None:
    lines = table(drawn(latency, run))
    assert [line[0] for line in lines[1:7]] == [
        "legacy",
        "legacy, from the cache",
        "legacy, an equal request's",
        "legacy, by the small model",
        "legacy, by the large model",
        "direct",
    ]
    counts = [int(line[-1].removeprefix("all ").partition(" ")[0].replace(",", "")) for line in lines[1:7]]
    timed = {arm: run.report["latency"][arm]["timed"] for arm in ("legacy", "direct")}
    assert (counts[0], counts[5]) == (timed["legacy"], timed["direct"])
    assert sum(counts[1:5]) == counts[0]
    assert lines[5][-1].endswith("two H100 SXM, NVIDIA NIM 1.8, pace vendor-claimed")
    assert lines[3][1:4] == ["too few"] * 3  # of 4 answers


def test_the_gate_on_p99_is_drawn_and_its_state_is_said(run: Run, report: Report) -> None:
    assert "gate 250 ms" in texts(drawn(latency, run))
    assert "Gate p99_ms: not measured (" in latency.words(run.report)
    report["provenance"]["scenario"]["gates"]["p99_ms"], report["gates"] = None, []
    assert "gate" not in " ".join(texts(latency.chart(report, run.rows))) + latency.words(report).lower()


def test_for_whom_direct_is_slower_is_said_beside_the_median(run: Run) -> None:
    said, found = latency.words(run.report), run.report["latency"]["difference"]
    assert f"direct - legacy is {found['p50']['of_differences']['estimate'] * 1e3:+.3g} ms [" in said
    assert "5 % of the requests are slower with direct by +" in said


def test_an_arm_without_times_is_not_drawn_and_not_measured(run: Run, report: Report) -> None:
    report["latency"]["direct"] = dict.fromkeys(report["latency"]["direct"]) | {"timed": 0}
    report["latency"]["difference"] = None
    assert "direct" not in texts(latency.chart(report, run.rows))
    assert "Direct: not measured." in latency.words(report)
    report["latency"]["legacy"]["timed"] = 0
    assert latency.chart(report, run.rows) is None


# Where the time goes


def test_the_steps_add_up_to_the_mean_and_the_store_is_apart(run: Run) -> None:
    found = run.report["latency"]["overhead"]["breakdown"]
    lines = table(drawn(where_time_goes, run))
    for arm in ("legacy", "direct"):
        parts = [float(line[2]) for line in lines if line[0] == arm and not line[1].endswith("after the answer")]
        assert sum(parts) == pytest.approx(found[arm]["mean"] * 1e3, abs=1e-3)
    assert ["legacy", "store, after the answer"] in [line[:2] for line in lines]
    assert "After the answer is out: store " in where_time_goes.words(run.report)


def test_bars_are_as_long_as_their_seconds(run: Run) -> None:
    found = run.report["latency"]["overhead"]["breakdown"]
    large, call, *_ = (right - left for left, right in boxes(drawn(where_time_goes, run), "c-large", "c-call"))
    seconds = found["legacy"]["parts"]["large"], found["direct"]["parts"]["call"]
    assert large / call == pytest.approx(seconds[0] / seconds[1], 0.01)


def test_systems_that_tell_no_steps_have_no_picture(report: Report) -> None:
    report["latency"]["overhead"]["breakdown"]["direct"] = None
    assert "Direct does not tell what its time goes to." in where_time_goes.words(report)
    assert "direct" not in texts(where_time_goes.chart(report))
    report["latency"]["overhead"]["breakdown"]["legacy"] = None
    assert where_time_goes.chart(report) is None


# Cost


def test_an_unknown_cost_is_a_hatched_frame_and_the_claim_stands_apart(run: Run) -> None:
    found = drawn(cost, run)
    rects = list(parsed(found).iter("rect"))
    assert [each.get("fill") for each in rects if each.get("class") == "frame"] == [svg.hatch(cost.ID)]
    assert len([each for each in rects if each.get("class") == "s-direct hollow dashed"]) == 1
    assert {"not known", "vendor-claimed", "assumed", run.report["cost"]["direct"]["unknown"]} <= set(texts(found))
    assert [line[1] for line in table(found)].count("not known") == 1
    assert "direct not known (" in cost.words(run.report)
    assert "By the vendor's claim direct's would cost $" in cost.words(run.report)


def test_stacked_parts_are_as_long_as_the_whole() -> None:
    report = costs([1, 1, 0] * 20, [1, 1, 0] * 20, wrong_answer_usd=0.001, **WORK)
    whole = {arm: report["cost"][arm]["per_decision_usd"] for arm in ("legacy", "direct")}
    bars = boxes(cost.chart(report), *cost.PARTS.values())
    starts = [left for left, _ in bars].count(bars[0][0])
    second = [left for left, _ in bars].index(bars[0][0], 1)
    assert starts == 2
    lengths = bars[second - 1][1] - bars[0][0], bars[-1][1] - bars[0][0]
    assert lengths[0] / lengths[1] == pytest.approx(whole["legacy"] / whole["direct"], 0.01)
    assert tuple(cost.PARTS) == PARTS


@pytest.mark.parametrize(
    ("legacy", "direct", "given_prices", "says"),
    [
        ([1, 1, 0] * 20, [1, 1, 0] * 20, PRICES, "Direct is the cheaper: direct's cost is 0.1 times legacy's"),
        ([1, 1, 0] * 20, [1, 1, 0] * 20, {"legacy": {"large": PRICES["legacy"]["small"]},
                                          "direct": {"call": PRICES["legacy"]["large"]}},
         "Legacy is the cheaper: direct's cost is 10 times legacy's"),
        ([1, 1, 0] * 20, [1, 0, 1] * 20, {"legacy": {"large": PRICES["legacy"]["large"]},
                                          "direct": {"call": PRICES["legacy"]["large"]}},
         "Which is the cheaper is not sure: the interval of the difference holds 0."),
    ],
)  # fmt: skip
def test_who_is_cheaper_is_said_whoever_it_is(legacy: Any, direct: Any, given_prices: Any, says: str) -> None:
    assert says in cost.words(costs(legacy, direct, prices=given_prices))


# Stages


def test_a_stage_saves_to_the_left_and_costs_to_the_right(run: Run) -> None:
    found = drawn(stages, run)
    zeros = {float(each.get("x1", 0)) for each in parsed(found).iter("line") if each.get("class") == "s-ink"}
    assert all(min(abs(right - zero) for zero in zeros) < 0.02 for _, right in boxes(found, "c-good"))
    assert all(min(abs(left - zero) for zero in zeros) < 0.02 for left, _ in boxes(found, "c-bad"))
    accounts = run.report["cost"]["stages"]
    assert f"saves {-accounts['cache']['seconds']['net'] * 1e3:.3g} s" in texts(found)
    assert f"costs {accounts['classifier']['seconds']['net'] * 1e3:.3g} s" in texts(found)


def test_what_a_stage_is_worth_is_said_with_its_interval_and_whether_it_is_sure(run: Run) -> None:
    said = stages.words(run.report)
    assert re.search(r"the cache saves \$0\.\d{4} net \[\$0\.\d{4}, \$0\.\d{4}\];", said)
    assert "In wrong answers, per 1,000 requests: the cache changes nothing; " in said
    assert ", which may be nothing." in said


def test_stages_that_nobody_knows_are_named_with_the_reason(report: Report) -> None:
    for stage in ("cache", "classifier", "cascade", "routing", "total"):
        report["cost"]["stages"][stage] = dict.fromkeys(stages.METRICS)
    report["cost"]["stages"]["reasons"] = dict.fromkeys(stages.METRICS, "nobody asked")
    assert stages.chart(report) is None
    assert "Not known, in US dollars, seconds of waiting, wrong answers: nobody asked." in stages.words(report)
