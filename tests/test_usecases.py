"""Uses that become worth it: shares against the recordings, worth and its bounds, coverage, and what is not known."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import usecases, usecases_text
from benchmarks.commands import usecases as command
from benchmarks.published.assumptions import CLAIMED_CHEAPER
from benchmarks.targets.builtin import recording_file
from benchmarks.usecases import USES, Assumption, Seen, _worth
from benchmarks.workloads.workload import load
from shared.backends.recorded import read_recording, recording_key
from shared.contract import Usage
from shared.errors import BadInput
from shared.pricing import find
from tests.test_published import priced

ROWS = ("hc1", "h100-8b", "deepinfra-70b", "gpt-4o-mini")
KEYS = ("value", "low", "high")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return usecases.measure(ROWS)


def test_shares_are_those_of_the_recordings(found: dict[str, Any]) -> None:
    workload = load()
    answers = read_recording(recording_file("qwen-1.5b", "test")).rows
    items = [item for item in workload.split("test") if item.task == "moderation"]
    said = {item.id: answers[recording_key(workload.request(item))].text.strip().strip(".").lower() for item in items}
    against = [said[item.id] == item.reference for item in items if item.reference != "ok"]
    alarms = [said[item.id] != "ok" for item in items if item.reference == "ok"]
    row = found["uses"]["moderation"]["rows"]["deepinfra-70b"]
    assert row["found"]["value"] == pytest.approx(sum(against) / len(against))
    assert row["spoilt"]["value"] == pytest.approx(sum(alarms) / len(alarms))
    for share in (row["found"], row["spoilt"]):
        assert share["low"] < share["value"] < share["high"]
    assert found["stand_ins"]["hc1"]["model"] == "qwen-0.5b-burnt-3-6"
    assert found["stand_ins"]["h100-8b"]["model"] == "qwen-0.5b"


def test_the_cohorts_answers_come_from_other_items_and_know_the_plan_alone(found: dict[str, Any]) -> None:
    """A gain is direct's share of right answers less the cohorts', so that a perfect model would gain less than 1."""
    row = found["uses"]["personalisation"]["rows"]["deepinfra-70b"]
    workload = load()
    answers = read_recording(recording_file("qwen-1.5b", "test")).rows
    items = [item for item in workload.split("test") if item.task == "intent"]
    right = sum(answers[recording_key(workload.request(item))].text.strip() == item.reference for item in items)
    cohorts = right / len(items) - row["found"]["value"]
    assert 1 / 7 < cohorts < 0.5
    assert row["spoilt"] is None


def test_the_price_at_which_it_pays_is_the_one_that_costs_what_it_is_worth(found: dict[str, Any]) -> None:
    row = found["uses"]["moderation"]["rows"]["deepinfra-70b"]
    rows = read_recording(recording_file("qwen-1.5b", "test")).rows
    workload = load()
    asked = [rows[recording_key(workload.request(i))] for i in workload.split("test") if i.task == "moderation"]
    tokens = sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in asked) / len(asked)
    assert row["tokens_per_message"] == pytest.approx(tokens)
    for key in KEYS:
        even = row["pays_below_usd_per_mtok"][key]
        worth = row["worth_usd_per_1000"][key]
        assert (even is None) == (worth <= 0)
        if even is not None:
            assert 1000 * tokens * even / 1e6 == pytest.approx(worth)


def test_what_is_not_known_stays_unknown_and_passes_nothing(found: dict[str, Any]) -> None:
    for use in found["uses"].values():
        hc1, large, mini = (use["rows"][each] for each in ("hc1", "deepinfra-70b", "gpt-4o-mini"))
        assert (hc1["usd_per_1000"], hc1["affordable"], hc1["coverage"]) == (None, None, None)
        assert hc1["pays"] in ("price not known", "never")
        assert hc1["in_time"] is not None  # its pace is claimed, and the rest of it assumed
        assert "first_token_s" in hc1["assumed_figures"]["time"]
        assert (large["added_p50_s"], large["in_time"], large["coverage"]) == (None, None, None)
        assert large["usd_per_1000"] > 0
        assert large["pays"] in ("time not known", "no", "never")
        assert "no recorded model" in mini["not_known"]


def test_coverage_is_what_both_the_time_and_the_budget_allow() -> None:
    generous = usecases.measure(["h100-8b"], {"moderation.within_s": 60.0, "moderation.budget_usd": 1e5})
    row = generous["uses"]["moderation"]["rows"]["h100-8b"]
    assert row["cost_rests_on"] == "rent"
    assert row["coverage"] == dict.fromkeys(KEYS, 1.0)
    usd = row["usd_per_1000"]
    poor = usecases.measure(["h100-8b"], {"moderation.within_s": 60.0, "moderation.budget_usd": usd / 4})
    assert poor["uses"]["moderation"]["rows"]["h100-8b"]["coverage"]["value"] == pytest.approx(0.25)
    hasty = usecases.measure(["h100-8b"], {"moderation.within_s": 1e-6, "moderation.budget_usd": 1e5})
    assert hasty["uses"]["moderation"]["rows"]["h100-8b"]["coverage"]["value"] == 0


PLENTY = {"personalisation.value_usd": 1.0, "personalisation.budget_usd": 1e5, "personalisation.within_s": 60.0}


@pytest.mark.parametrize(
    ("changed", "hardware", "said"),
    [
        ({}, "h100-8b", "yes"),
        ({}, "hc1", "price not known"),
        ({}, "deepinfra-70b", "time not known"),
        ({"value_usd": 0.0}, "deepinfra-70b", "never"),
        ({"value_usd": 1e-9}, "deepinfra-70b", "no"),
        ({"within_s": 1e-4}, "h100-8b", "never in time"),
        ({"within_s": 1e-4}, "hc1", "never in time"),
        ({"budget_usd": 0.0}, "h100-8b", "never within the budget"),
    ],
)
def test_what_covers_no_message_or_is_not_known_does_not_pay(
    changed: dict[str, float], hardware: str, said: str
) -> None:
    given_ = PLENTY | {f"personalisation.{name}": value for name, value in changed.items()}
    assert usecases.measure([hardware], given_)["uses"]["personalisation"]["rows"][hardware]["pays"] == said


def test_where_the_low_end_covers_nothing_it_depends() -> None:
    row = usecases.measure(["cerebras-70b"], {"personalisation.value_usd": 1.0})["uses"]["personalisation"]["rows"]
    assert (row["cerebras-70b"]["coverage"]["low"], row["cerebras-70b"]["coverage"]["high"]) == (0, 1)
    assert row["cerebras-70b"]["pays"] == "depends on the assumptions"


def test_a_claimed_price_stands_beside_what_is_not_known(found: dict[str, Any]) -> None:
    use = usecases.measure(["hc1", "deepinfra-8b"], PLENTY)["uses"]["personalisation"]["rows"]
    claimed, listed = use["hc1"]["at_claimed"], find("deepinfra-8b")
    assert (use["hc1"]["usd_per_1000"], claimed["standing"], claimed["pays"]) == (None, "vendor-claimed", "yes")
    workload = load()
    answers = read_recording(recording_file("qwen-0.5b-burnt-3-6", "test")).rows
    asked = [answers[recording_key(workload.request(i))] for i in workload.split("test") if i.task == "intent"]
    costs = [listed.cost(Usage(each.input_tokens, each.output_tokens)) or 0.0 for each in asked]
    assert claimed["usd_per_1000"] == pytest.approx(1000 * sum(costs) / len(costs) / CLAIMED_CHEAPER)
    assert use["deepinfra-8b"]["at_claimed"] is None
    assert "(claimed)" in usecases_text.text(found)
    assert "vendor-claimed" in usecases_text.text(found)


def test_a_row_of_ones_own_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(priced("mine", "Llama 3.1 8B", 0.5))
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["usecases", "--hardware", "mine", "--file", str(own), "--json"])
    assert args.run(args) == 0
    row = json.loads(capsys.readouterr().out)["uses"]["moderation"]["rows"]["mine"]
    assert row["usd_per_1000"] == pytest.approx(1000 * row["tokens_per_message"] * 0.5e-6)
    assert row["cost_rests_on"] == "list price"
    assert row["added_p50_s"] > 0


def test_a_sample_gains_its_share_of_what_all_would(found: dict[str, Any]) -> None:
    for use in found["uses"].values():
        gained = use["rows"]["hc1"]["gained_per_1000"]
        assert gained["0.05"] == pytest.approx(0.05 * gained["1"])


def test_at_the_bearable_share_of_false_alarms_nothing_is_won_or_lost() -> None:
    most = usecases.measure(["deepinfra-70b"])["uses"]["moderation"]["rows"]["deepinfra-70b"]["spoilt_at_most"]
    use = usecases._with_given({})["moderation"]
    caught = usecases.measure(["deepinfra-70b"])["uses"]["moderation"]["rows"]["deepinfra-70b"]["found"]["value"]
    assert _worth(use, Seen((caught,) * 3, (most,) * 3, ()))[0] == pytest.approx(0, abs=1e-12)


def ranges(most: float) -> st.SearchStrategy[tuple[float, float, float]]:
    drawn = st.lists(st.floats(0, most), min_size=3, max_size=3).map(sorted)
    return drawn.map(lambda each: (each[1], each[0], each[2]))


@given(ranges(1), ranges(1), ranges(1), ranges(10), ranges(10), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_the_bounds_of_worth_hold_every_mixture_within_the_ranges(
    share: Any, found: Any, spoilt: Any, value: Any, harm: Any, at: list[float]
) -> None:
    use = usecases._with_given({})["moderation"]
    given_ = {"share": share, "value_usd": value, "harm_usd": harm}
    assumed = {**use.assumed, **{name: Assumption(each[0], each[1], each[2], "") for name, each in given_.items()}}
    worth, low, high = _worth(replace(use, assumed=assumed), Seen(found, spoilt, (Usage(1, 1),)))
    all_ = zip((share, found, spoilt, value, harm), at, strict=True)
    s, f, w, v, h = (each[1] + where * (each[2] - each[1]) for each, where in all_)
    assert low - 1e-9 <= s * f * v - (1 - s) * w * h <= high + 1e-9
    assert low - 1e-9 <= worth <= high + 1e-9


@pytest.mark.parametrize(
    ("hardware", "assumed", "said"),
    [
        (["hc2"], {}, "hardware 'hc2' is unknown"),
        ([], {"moderation.price": 1.0}, "no such assumption"),
        ([], {"value_usd": 1.0}, "no such assumption"),
        ([], {"moderation.share": 1.5}, "a share at most 1"),
        ([], {"moderation.value_usd": -1.0}, "0 or more"),
        ([], {"moderation.value_usd": float("nan")}, "0 or more"),
    ],
)
def test_unknown_names_and_impossible_figures_are_refused(hardware: Any, assumed: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        usecases.measure(hardware, assumed)


def test_every_assumption_and_stand_in_stands_in_the_text(found: dict[str, Any]) -> None:
    for markdown in (False, True):
        text = usecases_text.text(found, markdown=markdown)
        for name, use in USES.items():
            assert use.stands_for in text
            for each in usecases._with_given({})[name].assumed:
                assert f"{name}.{each}" in text
        assert "qwen-0.5b-burnt-3-6 for Llama 3.1 8B" in text
        assert "price not known" in text
        assert "not known" in text
    widths = {len(line.split("|")) for line in text.splitlines() if line.startswith("| hc1 |")}
    assert len(widths) <= 2


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["usecases", "--hardware", "hc1", "--assume", "moderation.value_usd=5", "--json"])
    assert args.run(args) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed["uses"]["correction"]["rows"]) == ["hc1"]
    assert printed["assumptions"]["moderation.value_usd"]["why"] == "given on the command line"
    for wrong in ("moderation.value_usd", "moderation.value_usd=much"):
        with pytest.raises(SystemExit):
            parser.parse_args(["usecases", "--assume", wrong])
