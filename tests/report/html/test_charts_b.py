"""The charts of maintenance, drills, faults, crossover map, drift and published outcomes draw what the run holds."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scenario, upkeep
from benchmarks.cost.break_even import BreakEven, unknown
from benchmarks.maintenance import surface
from benchmarks.published.measure import measure
from benchmarks.report.html import svg
from benchmarks.report.html.charts import crossover_map, drift, drills, faults, maintenance, published
from shared.errors import BadInput
from tests.quality.drift_workload import played, write
from tests.report.html.browser import Open

REPORT_CHARTS = (maintenance, drills, faults, crossover_map, published)
STYLE = Path(svg.__file__).parent / "assets" / "style.css"
PRICE = BreakEven("at", "US dollars per million tokens", 0.04, 0.03, 0.05, "below", 0.01, 1.0)
SPEED = BreakEven("already past", "times direct's pace now", 0.3, 0.1, 0.9, "above", 1.0)
Report = dict[str, Any]


@pytest.fixture(scope="module")
def counted() -> Report:
    """Maintenance and faults as a comparison of this clone has them."""
    found = upkeep.faults(scenario.load())
    return {"maintenance": upkeep.maintenance(scenario.load(), found), "faults": found}


@pytest.fixture
def report(counted: Report) -> Report:
    """A report in which direct is as good as legacy, on the silicon that published outcomes are about."""
    return {
        **copy.deepcopy(counted),
        "provenance": {"hardware": {"direct.call": {"id": "hc1", "model": "Llama 3.1 8B"}}},
        "quality": {"questions_like_these": {"difference": difference("equivalent")}},
        "cost": {"break_even": even()},
        "standing": {"/cost/break_even/price": "assumed"},
    }


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A small timeline, really played: the direct model turns bad in epoch 4."""
    event = '[[events]]\nepoch = 4\nkind = "firmware"\ndirect = "bad"'
    return played(write(tmp_path_factory.mktemp("charts") / "small"), event)


def difference(word: str) -> Report:
    worse = word == "worse"
    centre = -0.1 if worse else 0.0
    return {"estimate": centre, "low": centre - 0.01, "high": centre + 0.01, "word": word, "not_worse": not worse,
            "further_items": 0}  # fmt: skip


def even(price: BreakEven = PRICE, speed: BreakEven = SPEED, claim: BreakEven | None = None) -> Report:
    dark = unknown("requests a month", "hours are <not> known")
    found = {"price": price, "speed": speed, "volume": dark}
    entries = {name: each.document() for name, each in found.items()}
    if claim:
        entries["price"]["at_vendor_claim"] = claim.document()
    return entries


def parsed(markup: str | None) -> ElementTree.Element:
    assert markup is not None
    return ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", markup))  # noqa: S314  # our own markup


def texts(markup: str | None) -> list[str]:
    return ["".join(each.itertext()) for each in parsed(markup).iter("text")]


def table(markup: str | None) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in parsed(markup).iter("tr")]


def shapes(markup: str | None, name: str, of: str) -> list[ElementTree.Element]:
    return [each for each in parsed(markup).iter(name) if of in (each.get("class") or "").split()]


# All of them


@pytest.mark.parametrize("chart", REPORT_CHARTS, ids=lambda chart: chart.ID)
def test_every_chart_is_a_picture_with_a_title_a_description_and_a_table(chart: Any, report: Report) -> None:
    figure = parsed(chart.chart(report))
    picture = figure.find(".//svg")
    assert picture is not None
    assert figure.get("id") == chart.ID
    assert all("".join(each.itertext()) for name in ("title", "desc") if (each := picture.find(name)) is not None)
    assert len(table(chart.chart(report))) > 1
    assert chart.words(report).endswith(".")


def test_no_two_charts_share_an_id() -> None:
    assert len({chart.ID for chart in (*REPORT_CHARTS, drift)}) == len(REPORT_CHARTS) + 1


def test_labels_are_neither_cut_nor_over_one_another(
    report: Report, timeline: Report, opened: Open, tmp_path: Path
) -> None:
    drawn = [chart.chart(report) for chart in REPORT_CHARTS] + [drift.chart(timeline)]
    page = f"<style>{STYLE.read_text(encoding='utf-8')}</style>{''.join(each or '' for each in drawn)}"
    file = tmp_path / "charts.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><title>charts</title>{page}', encoding="utf-8")
    with opened(file) as shown:
        assert shown.evaluate(POOR) == []


POOR = """() => [...document.querySelectorAll("svg")].flatMap(svg => {
  const room = svg.viewBox.baseVal
  const boxes = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBBox()])
  const cut = ([, box]) => box.x < -1 || box.x + box.width > room.width + 1 || box.y < -1 ||
    box.y + box.height > room.height + 1
  const over = (a, b) => Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 1 &&
    Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 4
  return [...boxes.filter(cut).map(each => "cut: " + each[0]), ...boxes.flatMap(([one, a], place) =>
    boxes.slice(place + 1).filter(([, b]) => over(a, b)).map(([other]) => one + " over " + other))]
})"""


# Maintenance


def test_bars_of_a_pair_are_as_long_as_their_counts(report: Report) -> None:
    report["maintenance"]["legacy"]["optional"] = None
    drawn = maintenance.chart(report)
    legacy, direct = (
        [float(bar.get("width") or 0) for bar in shapes(drawn, "rect", f"c-{arm}")][1:] for arm in ("legacy", "direct")
    )
    lines = {arm: report["maintenance"][arm]["lines"] for arm in ("legacy", "direct")}
    assert legacy[0] / direct[0] == pytest.approx(lines["legacy"] / lines["direct"], abs=0.5)
    assert legacy[0] == maintenance.BAR


def test_what_is_switched_off_is_striped_and_in_no_difference(report: Report) -> None:
    stripes = [each for each in parsed(maintenance.chart(report)).iter("rect") if "url(" in (each.get("fill") or "")]
    assert len(stripes) == 3  # the legend's, lines and settings
    side = report["maintenance"]
    apart = side["direct"]["lines"] - side["legacy"]["lines"]
    assert f"{apart:+,}" in texts(maintenance.chart(report))
    assert f"{side['legacy']['optional']['lines']:,} lines of code of legacy" in maintenance.words(report)


def test_whoever_has_less_is_said_to_have_less(report: Report) -> None:
    assert "Direct has fewer lines of code (20 against 963)" in maintenance.words(report)
    sides = report["maintenance"]
    sides["legacy"], sides["direct"] = sides["direct"], sides["legacy"]
    assert "Legacy has fewer lines of code (20 against 963)" in maintenance.words(report)
    assert "Direct has fewer of nothing that was counted" in maintenance.words(report)


def test_a_side_without_source_is_not_measured(report: Report) -> None:
    report["maintenance"]["direct"] = dict.fromkeys(surface.KEYS)
    assert "direct not measured" in texts(maintenance.chart(report))
    assert maintenance.words(report).startswith("Not measured on both sides")
    report["maintenance"]["legacy"] = dict.fromkeys(surface.KEYS)
    assert maintenance.chart(report) is None


# Drills


def test_every_drill_has_both_bars_and_its_marks(report: Report) -> None:
    found, drawn = report["maintenance"]["drills"]["drills"], drills.chart(report)
    sides = [each[arm] for each in found.values() for arm in ("legacy", "direct")]
    for arm in ("legacy", "direct"):
        bars = sum(each[arm]["lines_added"] + each[arm]["lines_removed"] > 0 for each in found.values())
        assert len(shapes(drawn, "rect", f"c-{arm}")) == bars + 1  # and the key's
    for name, of, counted in (
        ("rect", "c-neutral", "files"),
        ("polygon", "c-ink", "steps"),
        ("circle", "s-ink", "artefacts"),
    ):
        total = sum(side[counted] if counted == "files" else len(side[counted]) for side in sides)
        assert len(shapes(drawn, name, of)) == total + 1  # and the key's


def test_what_needs_nothing_and_what_is_written_for_legacy_is_named(report: Report) -> None:
    told, of = texts(drills.chart(report)), report["maintenance"]["drills"]["summary"]["all"]
    assert told.count("nothing to change") == of["legacy"]["no_change"] + of["direct"]["no_change"]
    assert sum("written for legacy" in each for each in told) == 3
    assert "3 of them were written as changes that legacy should make more easily" in drills.words(report)


def test_of_other_systems_there_are_neither_drills_nor_faults(report: Report) -> None:
    report["maintenance"]["drills"] = report["faults"] = None
    for chart in (drills, faults):
        assert chart.chart(report) is None
        assert chart.words(report).startswith("Not measured")


# Faults


def test_every_bar_of_the_matrix_is_full(report: Report) -> None:
    every = report["faults"]["cells"]
    cells = [cell for cell in every if cell["played"] != "wire" and cell["at_once"] is None]
    bars = parsed(faults.chart(report)).findall(".//svg/g")
    assert len(bars) == len(cells)
    for bar in bars:
        assert sum(float(each.get("width") or 0) for each in bar.iter("rect")) == pytest.approx(faults.BAR, abs=0.1)


def test_what_must_never_be_is_seen_where_it_is(report: Report) -> None:
    assert len(shapes(faults.chart(report), "rect", "c-ink")) == 1  # the legend's
    cell = report["faults"]["cells"][0]
    cell.update(well=cell["well"] - 7, lost=7, late=3)
    assert len(shapes(faults.chart(report), "rect", "c-ink")) == 2
    assert any(each.endswith("3 late") for each in texts(faults.chart(report)))


def test_the_table_of_faults_has_every_cell_over_sockets_too(report: Report) -> None:
    rows = table(faults.chart(report))[1:]
    assert len(rows) == len(report["faults"]["cells"])
    assert {row[3] for row in rows} == {"virtual", "wire", "process"}


def test_the_words_on_faults_say_who_outlives_what_in_both_directions(report: Report) -> None:
    told = faults.words(report)
    assert "Legacy outlives what direct does not" in told
    assert "Direct outlives no fault" in told
    assert "other-model in direct's call" in told


# The map


def winners(report: Report) -> list[str]:
    return [each for each in texts(crossover_map.chart(report)) if "wins" in each or each == "undecided"]


def test_cost_decides_where_quality_does_not(report: Report) -> None:
    assert set(winners(report)) == {"legacy wins", "direct wins"}
    assert "Direct costs less per acceptable decision below 0.04 [0.03, 0.05]" in crossover_map.words(report)
    assert "Its price is 0.01" in crossover_map.words(report)


def test_where_direct_is_worse_legacy_wins_everywhere(report: Report) -> None:
    report["quality"]["questions_like_these"]["difference"] = difference("worse")
    assert set(winners(report)) == {"legacy wins"}
    assert "legacy wins all over the map" in crossover_map.words(report)


def test_what_is_not_measured_decides_nothing(report: Report) -> None:
    report["quality"]["questions_like_these"]["difference"] = None
    assert set(winners(report)) == {"undecided"}
    assert "Quality is not measured" in crossover_map.words(report)


def test_an_unknown_price_is_a_line_and_a_claimed_one_says_whose_it_is(report: Report) -> None:
    nowhere = BreakEven("at", "US dollars per million tokens", 0.04, 0.03, 0.05, "below")
    report["cost"]["break_even"] = even(nowhere)
    assert "this run; direct's price is not known" in texts(crossover_map.chart(report))
    report["cost"]["break_even"] = even(nowhere, claim=PRICE)
    assert any("the vendor's claim leads to" in each for each in texts(crossover_map.chart(report)))
    assert "no price is published" in crossover_map.words(report)


def test_a_price_of_nothing_is_known_and_stands_at_the_end_of_the_axis(report: Report) -> None:
    report["cost"]["break_even"] = even(replace(PRICE, now=0.0))
    assert "this run" in texts(crossover_map.chart(report))
    assert "Its price is 0 US dollars" in crossover_map.words(report)


def test_without_either_break_even_there_is_no_map(report: Report) -> None:
    report["cost"]["break_even"] = even(unknown("US dollars", "no <price>"), unknown("times", "no pace"))
    assert crossover_map.chart(report) is None
    assert "not known: no <price>" in crossover_map.words(report)


@pytest.mark.parametrize("state", ["already past", "never", "unknown input"])
def test_a_price_that_decides_at_every_value_makes_one_field_of_the_axis(state: Any, report: Report) -> None:
    report["cost"]["break_even"] = even(BreakEven(state, "US dollars per million tokens", reason="so it is"))
    assert set(winners(report)) == {{"already past": "direct wins", "never": "legacy wins"}.get(state, "undecided")}
    assert "cost alike" not in texts(crossover_map.chart(report))


@given(
    st.floats(1e-9, 1e9),
    st.none() | st.floats(1e-9, 1e9),
    st.none() | st.floats(0, 1e9),
    st.none() | st.floats(0, 1e9),
    st.sampled_from(["above", "below"]),
    st.sampled_from(["", "not certain"]),
)
def test_the_fields_of_an_axis_meet_and_change_sides_at_the_break_even(
    value: float, now: float | None, low: float | None, high: float | None, wins: Any, reason: str
) -> None:
    entry = BreakEven("at", "", value, low, high, wins, now, reason=reason).document()
    line = crossover_map._line(entry)
    for before, after in zip(line.fields, line.fields[1:], strict=False):
        assert before.high == after.low
    assert all(each.low < each.high for each in line.fields)
    assert line.fields[0].low < value < line.fields[-1].high
    order = [each.side for each in line.fields if each.side != "alike"]
    assert order in ([], ["lower"], ["higher"], ["lower", "higher"] if wins == "below" else ["higher", "lower"])
    for each in line.fields:
        better = each.high <= value if wins == "below" else each.low >= value
        assert each.side == "alike" or (each.side == "lower") == better


# Drift


def test_a_timeline_has_a_point_an_epoch_and_a_line_an_event(timeline: Report) -> None:
    drawn = drift.chart(timeline)
    lines = shapes(drawn, "polyline", "line")
    assert [len((each.get("points") or "").split()) for each in lines] == [len(timeline["epochs"])] * 3
    assert len(shapes(drawn, "line", "axis")) == len(timeline["events"]) == 1
    assert "1. epoch 4: the direct model is replaced by bad" in texts(drawn)
    assert "Epoch 4, the direct model is replaced by bad: direct loses 100.0 points" in drift.words(timeline)


def test_drops_that_are_noticed_stand_on_their_arms_line(timeline: Report) -> None:
    per_epoch = timeline["timeline"]["requests"]
    alarms = [{"arm": "direct", "request": 3 * per_epoch + 1, "event_epoch": 4}]
    drawn = shapes(drift.chart({**timeline, "alarms": alarms}), "polygon", "c-direct")
    assert len(drawn) == 1
    assert shapes(drift.chart({**timeline, "alarms": None}), "polygon", "c-direct") == []


def test_a_run_without_a_timeline_has_none(tmp_path: Path) -> None:
    assert drift.read(tmp_path) is None
    assert drift.chart(None) is None
    assert drift.words(None).startswith("Not measured")


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "is no JSON"), (b"[]", "`schema` is not"), (b"\xff", "is no JSON")]
)
def test_a_timeline_that_cannot_be_read_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_bytes(content)
    with pytest.raises(BadInput, match=rf"drift\.json.*{said}.*crossover drift"):
        drift.read(tmp_path)


# Published outcomes


def test_every_group_has_a_mark_of_its_word_and_its_row(report: Report) -> None:
    document, drawn = measure(), published.chart(report)
    groups = [*document["groups"], *document["pooled"]]
    rows = table(drawn)[1:]
    assert len(rows) == len(groups) == len(parsed(drawn).findall(".//svg/g"))
    for word, shape in (("better", "c-good"), ("worse", "c-bad")):
        count = sum(group["direct_less_large"]["published"]["word"] == word for group in groups)
        assert len(shapes(drawn, "polygon", shape)) == count + 1  # and the key's
    counts = document["summary"]["words"]["published"]
    assert f"as published: {counts['worse']} worse" in published.words(report)
    assert all(group["source"] in published.words(report) for group in groups if "; " not in group["source"])


@pytest.mark.parametrize("hardware", [{}, {"direct.call": {"id": "mine"}}, {"direct.call": {"id": "h100x2-70b"}}])
def test_outcomes_of_another_model_are_not_shown(hardware: Report, report: Report) -> None:
    report["provenance"]["hardware"] = hardware
    assert published.chart(report) is None
    assert published.words(report).startswith("Not shown")


# What stands in a report stays text


@pytest.mark.parametrize(
    ("chart", "spoil"),
    [
        (drills, lambda found: found["maintenance"]["drills"]["drills"]["01-swap-the-model"].update(title="<b>&")),
        (faults, lambda found: found["faults"]["cells"][0].update(failed={"<b>&": 1})),
        (maintenance, lambda found: found["maintenance"]["legacy"]["third_party"].update(ways={"<b>&": {"count": 3}})),
        (crossover_map, lambda found: found["cost"]["break_even"]["speed"].update(reason="<b>&")),
    ],
)
def test_markup_in_a_report_is_shown_as_text(chart: Any, spoil: Callable[[Report], None], report: Report) -> None:
    spoil(report)
    drawn = chart.chart(report)
    assert "<b>" not in drawn
    assert "&lt;b&gt;&amp;" in drawn
    assert parsed(drawn) is not None
