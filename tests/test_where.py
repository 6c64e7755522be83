"""`crossover where`: real clients against a real server, and a table that says what is not known."""

from __future__ import annotations

import argparse
import copy
import json
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks import ways, where
from benchmarks.commands import where as command


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Measured without the two clients that take seconds to import, as if they were not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ways, "find_spec", lambda name: None if name in ("litellm", "openai") else find_spec(name))
        return where.where(rounds=40)


def test_every_way_is_measured_and_what_is_not_installed_is_left_out_with_the_remedy(document: dict[str, Any]) -> None:
    names = {(way["name"].split()[0], way["how"]) for way in document["ways"]}
    assert names == {
        *((client, how) for client in ("http", "httpx", "direct") for how in ("whole", "streamed")),
        ("legacy", "whole"),
    }
    assert document["left_out"] == {
        "openai": "not installed; pip install openai",
        "litellm": "not installed; pip install litellm",
    }
    assert all(way["adds_s"]["low"] <= way["adds_s"]["value"] <= way["adds_s"]["high"] for way in document["ways"])
    assert set(document["legacy_steps_s"]) == {"cache", "classify", "store"}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_multiple_is_of_that_hardwares_own_answer(document: dict[str, Any]) -> None:
    assert set(document["hardware"]) == set(where.HARDWARE)
    for each in document["hardware"].values():
        assert 0 < each["answer_low_s"] <= each["answer_s"] <= each["answer_high_s"]
    for way in document["ways"]:
        for id_, times in way["times_answer"].items():
            if way["claim"] == "above the floor":
                assert times * document["hardware"][id_]["answer_s"] == pytest.approx(way["adds_s"]["value"])
            else:
                assert times is None


def test_what_is_below_the_floor_or_not_measured_is_shown_as_that(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    below, unmeasured, above = changed["ways"][:3]
    below |= {"claim": "below the floor", "times_answer": dict.fromkeys(where.HARDWARE)}
    unmeasured |= {"claim": "not measured", "adds_s": None, "times_answer": dict.fromkeys(where.HARDWARE)}
    above |= {"claim": "above the floor", "times_answer": {"hc1": 3.25, "cerebras-8b": 0.25, "h100-8b": 0.0001}}
    for shown in (where.text(changed), where.markdown(changed)):
        lines = shown.splitlines()
        of = [next(line for line in lines if f"{way['name']}, {way['how']}" in line) for way in changed["ways"][:3]]
        assert "below the floor" in of[0]
        assert "not measured" in of[1]
        assert all(times in of[2] for times in ("3.2", "0.250", "<0.001"))
        assert f"Takes longer than the answer itself: {above['name']}, {above['how']} (3.2 times)." in shown
        assert "Left out: litellm (not installed; pip install litellm)." in shown


def test_too_few_rounds_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "find_spec", lambda _: None)
    found = where.where(rounds=5, hardware=("hc1",))
    assert {way["claim"] for way in found["ways"]} == {"not measured"}
    assert "not measured" in where.text(found)


def test_the_command_prints_what_is_asked_for(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(where, "where", lambda: document)
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    for flags, expected in (
        ([], where.text(document)),
        (["--markdown"], where.markdown(document)),
        (["--json"], json.dumps(document, indent=2)),
    ):
        args = parser.parse_args(["where", *flags])
        assert args.run(args) == 0
        assert capsys.readouterr().out == expected + "\n"
