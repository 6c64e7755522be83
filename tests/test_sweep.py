"""The map: its axes, what is played for which point, the rule at a point, restarting, and the picture."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import jobs, scenario, sweep
from benchmarks.commands import sweep as command
from benchmarks.scenario import Scenario
from benchmarks.sweeping import axes, picture
from benchmarks.sweeping.axes import Axis
from benchmarks.sweeping.playing import SCALED, Playing, for_tenants, key_of, scaled, scenario_at
from benchmarks.sweeping.points import Points
from benchmarks.targets.builtin import hardware_of
from shared.errors import BadInput
from shared.hardware.pace import pace

X, Y = axes.parse("speedup=1:100:log:3", "--x"), axes.parse("price=0.01:1:log:3", "--y")
ENDS = axes.parse("speedup=1:100:log:2", "--x")
FEW = 60
SVG = "{http://www.w3.org/2000/svg}"


def of_file(folder: Path, text: str = "") -> Scenario:
    file = folder / "crossover.toml"
    file.write_text(f'[traffic]\nlimit = {FEW}\n[direct]\nmodel = "recorded:qwen-1.5b"\nhardware = "hc1"\n{text}')
    return scenario.load(file)


# --- axes


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e4), st.integers(2, 60), st.sampled_from(["log", "lin"]))
def test_an_axis_runs_evenly_from_end_to_end(low: float, times: float, count: int, scale: str) -> None:
    high = low * times
    axis = axes.parse(f"speedup={low!r}:{high!r}:{scale}:{count}", "--x")
    assert len(axis.values) == count
    assert axis.values[0] == pytest.approx(low, rel=1e-8)
    assert axis.values[-1] == pytest.approx(high, rel=1e-8)
    steps = [(math.log(b / a) if scale == "log" else b - a) for a, b in pairwise(axis.values)]
    even = (math.log(times) if scale == "log" else high - low) / (count - 1)
    assert steps == pytest.approx([even] * (count - 1), rel=1e-4, abs=1e-7 if scale == "log" else high * 1e-8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sped=1:2:log", "did you mean `speedup`"),
        ("speedup=1:2", "write name=low:high:log"),
        ("speedup=1:2:cubic", "write name=low:high:log"),
        ("speedup=1:two:log", "no number"),
        ("speedup=1:2:log:3.5", "no number"),
        ("speedup=0:2:log", "above 0"),
        ("speedup=-1:2:lin", "above 0"),
        ("speedup=nan:2:lin", "above 0"),
        ("speedup=1:inf:lin", "at most"),
        ("price=0:1:log", "no 0"),
        ("repeat_share=0:1:lin", "at most 0.99"),
        ("speedup=2:1:log", "the first must be the smaller"),
        ("speedup=1:2:log:1", "2 to 200"),
        ("speedup=1:2:log:201", "2 to 200"),
        ("speedup=1:1.00000001:log:50", "do not fit"),
    ],
)
def test_what_is_no_axis_is_refused_with_the_option_named(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=r"^--y: ") as caught:
        axes.parse(text, "--y")
    assert said in str(caught.value)


# --- what is played


def test_only_what_changes_behaviour_is_played_again() -> None:
    def keys(arm: Any, *points: Mapping[str, float]) -> int:
        return len({key_of(arm, at) for at in points})

    prices = [{"price": 1.0, "large_price": 2.0}, {"price": 3.0, "large_price": 2.0}]
    assert keys("legacy", *prices) == keys("direct", *prices) == 1
    faster = [{"speedup": 1.0, "wrong_answer_usd": 0.0}, {"speedup": 2.0, "wrong_answer_usd": 0.0}]
    assert (keys("legacy", *faster), keys("direct", *faster)) == (1, 2)
    busier = [{"rate": 1.0, "volume": 9.0}, {"rate": 2.0, "volume": 9.0}]
    assert (keys("legacy", *busier), keys("direct", *busier)) == (2, 2)


@pytest.mark.parametrize("times", [0.5, 1.0, 37.5])
def test_speedup_is_the_small_models_pace_so_many_times_and_survives_its_file(tmp_path: Path, times: float) -> None:
    chosen = of_file(tmp_path)
    hardware = hardware_of(chosen)
    fast, small = pace(scaled(hardware, times)), pace(hardware["small"])
    assert fast.seconds(321, 12) * times == pytest.approx(small.seconds(321, 12))
    assert fast.capacity == pace(hardware["call"]).capacity
    read = hardware_of(scenario_at(chosen, {"speedup": times}, tmp_path))
    assert read["call"].id == SCALED
    assert pace(read["call"]) == fast
    assert read["small"] == hardware["small"]


def test_the_axes_reach_the_scenario(tmp_path: Path) -> None:
    at = {"rate": 40.0, "repeat_share": 0.5, "price": 0.3, "small_price": 0.1, "large_price": 0.7, "volume": 1e6,
          "engineering_rate": 90.0, "wrong_answer_usd": 0.01}  # fmt: skip
    changed = scenario_at(of_file(tmp_path), at, tmp_path)
    assert (changed.traffic.rate, changed.traffic.ramp_to, changed.traffic.repeat_share) == (40.0, 80.0, 0.5)
    assert changed.direct.price.input == changed.direct.price.output == 0.3  # type: ignore[union-attr]
    assert (changed.legacy.small_price.input, changed.legacy.large_price.output) == (0.1, 0.7)  # type: ignore[union-attr]
    assert (changed.cost.requests_per_month, changed.cost.engineering_usd_per_hour) == (1e6, 90.0)
    assert changed.cost.wrong_answer_usd == 0.01


def test_more_requests_than_there_are_come_from_further_tenants_who_share_no_answers(tmp_path: Path) -> None:
    chosen = of_file(tmp_path)
    once = Playing(chosen, ("legacy", ()), None)()
    twice = Playing(chosen, ("legacy", ()), 2 * FEW)()
    hits = sum(row.hit for row in once)
    assert hits > 0
    assert len(twice) == 2 * FEW
    assert abs(sum(row.hit for row in twice) - 2 * hits) <= 1  # a repeat may arrive before its answer is stored
    assert [row.text for row in twice[FEW:]] == [row.text for row in twice[:FEW]]
    stream = [row.asked for row in once]
    assert for_tenants(stream, 7) == stream[:7]


# --- the whole sweep


def whole(folder: Path, out: str = "out", **options: Any) -> dict[str, bytes]:
    sweep.sweep(of_file(folder), ENDS, Y, folder / out, **options)
    return {name: (folder / out / name).read_bytes() for name in ("points.jsonl", "map.json", "map.svg")}


def test_a_sweep_goes_on_where_it_stopped_and_plays_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []

    def counting(tasks: Any, processes: int) -> Iterator[Any]:
        for task in tasks:
            ran.append(task.key)
            yield task()

    monkeypatch.setattr(jobs, "run", counting)
    first = whole(tmp_path)
    assert [key[0] for key in ran] == ["legacy", "direct", "direct"]  # six points, three playings

    file = tmp_path / "out" / "points.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines[1:] if json.loads(line)["x"] != 100.0]
    file.write_bytes(lines[0] + b"".join(kept) + b'{"x":100.0,"y":')
    for name in ("map.json", "map.svg"):
        (tmp_path / "out" / name).unlink()
    ran.clear()
    again = whole(tmp_path)
    assert ran == [("legacy", ()), ("direct", (("speedup", 100.0),))]
    assert (again["map.json"], again["map.svg"]) == (first["map.json"], first["map.svg"])
    assert sorted(again["points.jsonl"].splitlines()) == sorted(first["points.jsonl"].splitlines())

    ran.clear()
    whole(tmp_path, layer="cost")
    assert not ran
    assert b"costs less" in (tmp_path / "out" / "map.svg").read_bytes()


def test_an_interrupt_keeps_the_points_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = jobs.run

    def interrupted(tasks: Any, processes: int) -> Iterator[Any]:
        yield from run(tasks[:2], 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "run", interrupted)
    with pytest.raises(sweep.Interrupted, match="3 of 6 points"):
        whole(tmp_path)
    assert not (tmp_path / "out" / "map.json").exists()
    monkeypatch.undo()
    assert whole(tmp_path)["map.json"] == whole(tmp_path, "anew")["map.json"]


def test_processes_change_nothing(tmp_path: Path) -> None:
    assert whole(tmp_path, "one") == whole(tmp_path, "two", processes=2)


def test_points_of_another_sweep_and_what_is_no_point_are_refused(tmp_path: Path) -> None:
    made = constructed(X, Y)[1.0, 0.01] | {"quality": {}}
    with Points(tmp_path, {"requests": 3, "seed": 7}) as points:
        points.add(made)
    with Points(tmp_path, {"requests": 3, "seed": 7}) as points:
        assert points.by_place == {(1.0, 0.01): made}
    with pytest.raises(BadInput, match=r"another sweep \(requests differs\)"):
        Points(tmp_path, {"requests": 4, "seed": 7})
    file = tmp_path / "points.jsonl"
    kept = file.read_bytes()
    file.write_bytes(kept + b'{"x": 1}\n')
    with pytest.raises(BadInput, match=r"points\.jsonl line 3 is no point"):
        Points(tmp_path, {"requests": 3, "seed": 7})
    file.write_bytes(b"hello\n")
    with pytest.raises(BadInput, match="no file of points"):
        Points(tmp_path, {"requests": 3, "seed": 7})
    file.write_bytes(b"\xff\n")
    with pytest.raises(BadInput, match="no file of points"):
        Points(tmp_path, {"requests": 3, "seed": 7})


def test_what_cannot_be_swept_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    def refused(said: str, x: str, y: str, text: str = "", **options: Any) -> None:
        with pytest.raises(BadInput, match=said):
            sweep.sweep(of_file(tmp_path, text), axes.parse(x, "--x"), axes.parse(y, "--y"), tmp_path / "no", **options)
        assert not (tmp_path / "no").exists()

    refused("both price", "price=1:2:log", "price=1:3:log")
    refused("does not set engineering_usd_per_hour, legacy_eng", "volume=1:2:log", "price=1:3:log")
    refused("does not set requests_per_month, ", "engineering_rate=1:2:log", "price=1:3:log")
    both = "volume=1:2:log", "engineering_rate=1:2:log"
    refused("does not set direct_engineering", *both, "[cost]\nlegacy_engineering_hours_per_month = 3\n")
    live = scenario.load(None, direct="local:qwen-0.5b")
    with pytest.raises(BadInput, match="virtual time"):
        sweep.sweep(live, X, Y, tmp_path / "no")


def test_without_ray_its_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.sweeping import on_ray

    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"\.\[ray\]"):
        whole(tmp_path, engine="ray")


def test_the_command_prints_the_map_or_its_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of_file(tmp_path)
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    line = ["sweep", str(tmp_path / "crossover.toml"), "--x", "speedup=1:100:log:2", "--y", "price=0.01:1:log:2",
            "--out", str(tmp_path / "o")]  # fmt: skip
    args = parser.parse_args(line)
    assert args.run(args) == 0
    printed = capsys.readouterr().out
    assert "price of direct" in printed
    assert "Recorded answers of stand-ins" in printed
    args = parser.parse_args([*line, "--json"])
    assert args.run(args) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "o" / "map.json").read_text())
    assert [(each["x"], each["y"]) for each in found["points"]] == [(1, 0.01), (100, 0.01), (1, 1), (100, 1)]
    for counts in found["counts"].values():
        assert sum(counts.values()) == 4


# --- the picture


def constructed(x: Axis, y: Axis) -> dict[tuple[float, float], dict[str, Any]]:
    words = ["legacy", "direct", "undecided"]
    places = [(one, other) for one in x.values for other in y.values]
    said = {place: words[number % 3] for number, place in enumerate(places)}
    return {
        place: {"x": place[0], "y": place[1], "verdict": word, "reason": "a < b",
                "cost": {"winner": "unknown", "reason": "no price"}, "p99": {"winner": "direct", "reason": "faster"}}
        for place, word in said.items()
    }  # fmt: skip


def test_the_picture_has_a_cell_a_point_and_says_in_words_what_it_shows() -> None:
    points = constructed(X, Y)
    root = ET.fromstring(picture.svg(X, Y, points, "verdict", ["a note & more"]))  # noqa: S314 - our own
    cells = [each for each in root.iter(f"{SVG}rect") if (each.get("class") or "").startswith("cell")]
    assert len(cells) == 9
    for each, place in zip(cells, points, strict=True):
        title = each.find(f"{SVG}title")
        assert title is not None
        assert f"speedup {place[0]:.3g}, price {place[1]:.3g}: {points[place]['verdict']}; a < b" == title.text
        assert (each.get("class") or "").split()[1] == points[place]["verdict"]
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}{name}") for name in ("title", "desc")]
    assert [each.get("id") for each in named if each is not None] == root.get("aria-labelledby", "").split()
    assert "Legacy in 3, within speedup from 1 to 100" in picture.description(X, Y, points, "verdict")
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert {"1", "2", "5", "10", "20", "50", "100", "a note & more", "L legacy", "D direct", "? undecided"} <= set(
        texts
    )
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "prefers-color-scheme:dark" in (style.text or "")


def test_cells_lie_side_by_side_with_higher_values_further_up_and_right() -> None:
    root = ET.fromstring(picture.svg(X, Y, constructed(X, Y), "p99"))  # noqa: S314 - our own
    boxes = [
        [float(each.get(name, "nan")) for name in ("x", "y", "width", "height")]
        for each in root.iter(f"{SVG}rect") if (each.get("class") or "").startswith("cell")
    ]  # fmt: skip
    assert sum(wide * high for _, _, wide, high in boxes) == pytest.approx(picture.WIDE * picture.HIGH)
    assert boxes[0][0] < boxes[3][0] < boxes[6][0]
    assert boxes[0][1] > boxes[1][1] > boxes[2][1]


def test_letters_show_the_layer_that_is_asked_for() -> None:
    points = constructed(X, Y)
    assert picture.text(X, Y, points, "verdict").splitlines()[2:5] == [
        "     1  ? ? ?",
        "   0.1  D D D",
        "  0.01  L L L",
    ]
    assert "  0.01  . . ." in picture.text(X, Y, points, "cost")
    assert "not known" in picture.text(X, Y, points, "cost")
    assert "  0.01  D D D" in picture.text(X, Y, points, "p99")


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e9), st.sampled_from(["log", "lin"]))
def test_ticks_are_few_in_order_and_on_the_axis(low: float, times: float, scale: Any) -> None:
    found = picture.ticks(Axis("speedup", scale, (low, low * times)))
    assert 2 <= len(found) <= 18
    assert found == sorted(set(found))
    assert low * (1 - 1e-6) <= found[0]
    assert found[-1] <= low * times * (1 + 1e-6)
