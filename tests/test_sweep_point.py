"""What a point of the map says, on real answers whose scores or times are set so that the rule's every way is taken."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scenario
from benchmarks.commands import sweep as command
from benchmarks.rows import Row, Score
from benchmarks.scenario import Scenario
from benchmarks.sweeping import picture
from benchmarks.sweeping.axes import Axis
from benchmarks.sweeping.judging import judge, pair
from benchmarks.sweeping.playing import Playing, scenario_at
from benchmarks.targets.builtin import hardware_of


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, list[Row], list[Row]]:
    """Both arms over every question, direct with legacy's scores, so that quality is equal to the last answer."""
    file = tmp_path_factory.mktemp("played") / "crossover.toml"
    file.write_text('[traffic]\nrate = 1.0\n[direct]\nmodel = "recorded:qwen-1.5b"\nhardware = "hc1"\n')
    chosen = scenario.load(file)
    legacy, direct = (Playing(chosen, (arm, ()), None)() for arm in ("legacy", "direct"))
    scores = {row.asked.number: row.score for row in legacy}
    return chosen, legacy, [replace(row, score=scores[row.asked.number]) for row in direct]


def point(chosen: Scenario, legacy: list[Row], direct: list[Row], **at: float) -> dict[str, Any]:
    settings = {name: value for name, value in at.items() if name != "speedup"}  # as a sweep judges: nothing is written
    priced = scenario_at(chosen, settings, Path())
    both = pair(chosen, {"legacy": legacy, "direct": direct})
    x, y = (*at.items(), ("price", 0.0), ("rate", 20.0))[:2]
    return judge(priced, hardware_of(chosen), x, y, both)


def even_price(chosen: Scenario, legacy: list[Row], direct: list[Row]) -> float:
    """At which both arms cost the same: legacy's dollars over direct's tokens."""
    tokens = sum(
        (call.usage.input_tokens or 0) + (call.usage.output_tokens or 0) for row in direct for call in row.calls
    )
    return sum(row.cost_usd or 0.0 for row in legacy) / tokens * 1e6


def test_at_equal_quality_the_cheaper_one_wins(played: Any) -> None:
    even = even_price(*played)
    cheap, dear = (point(*played, price=even * times) for times in (0.5, 2.0))
    assert (cheap["quality"]["word"], cheap["verdict"], cheap["cost"]["winner"]) == ("equivalent", "direct", "direct")
    assert (dear["verdict"], dear["cost"]["winner"]) == ("legacy", "legacy")
    assert cheap["cost"]["legacy_usd"] == pytest.approx(dear["cost"]["legacy_usd"])
    assert dear["cost"]["direct_usd"] == pytest.approx(4 * cheap["cost"]["direct_usd"])


def test_where_costs_cannot_be_told_apart_p99_decides(played: Any) -> None:
    chosen, legacy, direct = played
    even = even_price(*played)
    swift = point(*played, price=even)
    assert swift["cost"]["winner"] == "undecided"
    assert (swift["p99"]["winner"], swift["verdict"]) == ("direct", "direct")
    slow = [replace(row, latency_s=(row.latency_s or 0.0) + 60.0) for row in direct]
    assert point(chosen, legacy, slow, price=even)["verdict"] == "legacy"
    few = [{row.asked.number for row in arm[:500]} for arm in (legacy, direct)]
    part = [[row for row in arm if row.asked.number in few[0]] for arm in (legacy, direct)]
    short = point(chosen, *part, price=even_price(chosen, *part))
    assert (short["p99"]["winner"], short["p99"]["direct_s"]) == ("unknown", None)
    assert short["verdict"] == "undecided"


def test_worse_quality_wins_nowhere_and_the_other_layers_still_say_who_is_cheaper(played: Any) -> None:
    chosen, legacy, direct = played
    wrong = [replace(row, score=Score(0.0, "wrong")) if row.asked.number % 3 == 0 else row for row in direct]
    bad = point(chosen, legacy, wrong, price=1e-6)
    assert (bad["quality"]["word"], bad["verdict"]) == ("worse", "legacy")
    assert (bad["cost"]["winner"], bad["p99"]["winner"]) == ("direct", "direct")


def test_an_unknown_price_passes_no_test(played: Any) -> None:
    found = point(*played, speedup=10.0)
    assert (found["verdict"], found["cost"]["winner"], found["cost"]["direct_usd"]) == ("undecided", "unknown", None)
    assert "not known" in found["reason"]


def test_too_few_questions_leave_quality_undecided(played: Any) -> None:
    chosen, legacy, direct = played
    part = [[row for row in arm if row.asked.number < 40] for arm in (legacy, direct)]
    few = point(chosen, *part, price=1e-6)
    assert (few["quality"]["not_worse"], few["verdict"]) == (False, "undecided")


def cells(layer_reasons: list[tuple[str, str]]) -> dict[tuple[float, float], dict[str, Any]]:
    """A map with these winners and reasons on every layer, from left to right."""
    return {
        (float(place), 1.0): {
            "x": float(place), "y": 1.0, "verdict": word, "reason": reason, "cost": {"winner": word, "reason": reason},
        }
        for place, (word, reason) in enumerate(layer_reasons, 1)
    }  # fmt: skip


def test_why_cells_are_not_known_stands_below_the_letters_the_commonest_first() -> None:
    said = [("unknown", "no p99")] * 2 + [("unknown", "no price")] * 3 + [("undecided", "alike"), ("direct", "cheap")]
    points = cells([*said, *(("unknown", f"other {number}") for number in range(3))])
    x = Axis("speedup", "lin", tuple(first for first, _ in points))
    y = Axis("price", "lin", (1.0,))
    assert picture.text(x, y, points, "cost").splitlines()[-4:] == [
        "  not known, 3 of 10: no price",
        "  not known, 2 of 10: no p99",
        "  not known, 1 of 10: other 0",
        "  2 of 10 for other reasons, which are in map.json",
    ]


def test_the_verdict_says_why_it_is_undecided_and_nothing_where_somebody_wins() -> None:
    x, y = Axis("speedup", "lin", (1.0, 2.0)), Axis("price", "lin", (1.0,))
    points = cells([("undecided", "no price"), ("legacy", "cheap")])
    assert picture.text(x, y, points, "verdict").splitlines()[-1] == "  undecided, 1 of 2: no price"
    assert "no price" not in picture.text(x, y, points, "cost")  # what is too close to call has its figures in the map
    assert picture.text(x, y, cells([("direct", "a"), ("legacy", "b")]), "verdict").endswith("L legacy   D direct")


@pytest.mark.parametrize("seed", ["-1", "one"])
def test_a_seed_that_is_none_is_refused(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["sweep", "--seed", seed])
    assert "argument --seed" in capsys.readouterr().err
    assert parser.parse_args(["sweep", "--seed", "0"]).seed == 0
