"""Explain names the cause, shows the worst of a kind, and says of each figure how this very figure came to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import compare
from benchmarks.quality.attribution import KINDS
from benchmarks.report.explain import cause, explain
from benchmarks.scenario import load
from shared.errors import BadInput


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    assert compare(load(), out) == 0
    return out


@pytest.fixture
def worst(results: Path) -> Any:
    return json.loads((results / "report.json").read_text())["quality"]["attribution"]["worst"]


def told(results: Path, asked: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert explain(results, asked) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "word"), [("misroute", "misroute: "), ("lucky_route", "lucky route: "), ("backend_loss", "backend: ")]
)
def test_the_worst_of_a_kind_are_shown_with_their_cause(
    results: Path, worst: Any, kind: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    story = told(results, kind, capsys)
    assert story.startswith(f"{kind}: the 10 worst questions of this kind\n")
    assert [int(number) for number in re.findall(r"^request (\d+):", story, re.MULTILINE)] == worst[kind]
    causes = re.findall(r"^cause: (.*)$", story, re.MULTILINE)
    assert len(causes) == 10
    assert all(word in each for each in causes)
    assert story.count("always large, no cache: ") == story.count("  question: ") == 10
    assert told(results, str(worst[kind][0]), capsys).strip() in story


def test_a_kind_without_requests_says_so(results: Path, worst: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert worst["false_hit"] == []
    assert told(results, "false_hit", capsys) == "false_hit: no question of this kind\n"


def test_where_nothing_is_attributed_there_is_no_worst(results: Path, tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes((results / "requests.jsonl").read_bytes())
    with pytest.raises(BadInput, match=r"no report\.json that can be read; run crossover compare again"):
        explain(tmp_path, "misroute")
    report = json.loads((results / "report.json").read_text())
    report["quality"]["attribution"] |= {"cache": None, "reason": "large was down"}
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(BadInput, match="attributes nothing, so it has no misroute: large was down"):
        explain(tmp_path, "misroute")
    with pytest.raises(BadInput, match="the kinds are stale_hit"):
        explain(tmp_path, "x-1")


@pytest.mark.parametrize("broken", ["{", "[]", '{"quality": null}', "no worst"])
def test_a_broken_report_is_as_good_as_none(results: Path, tmp_path: Path, worst: Any, broken: str) -> None:
    copy(results, tmp_path)
    if not broken.startswith(("{", "[")):
        report = json.loads((results / "report.json").read_text())
        del report["quality"]["attribution"]["worst"]
        broken = json.dumps(report)
    elif "null" in broken:
        broken = json.dumps(json.loads((results / "report.json").read_text()) | {"quality": None})
    (tmp_path / "report.json").write_text(broken)
    with pytest.raises(BadInput, match="run crossover compare again"):
        explain(tmp_path, "misroute")
    assert explain(tmp_path, str(worst["misroute"][0])) == 0


@pytest.mark.parametrize("kept", ["none", "half"])
def test_counterfactual_rows_that_are_lost_leave_a_request_without_a_cause(
    results: Path, tmp_path: Path, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut at the end of a line, between the rows of one pipeline and those of the next."""
    copy(results, tmp_path)
    file = tmp_path / "counterfactuals.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("" if kept == "none" else "".join(lines[: len(lines) // 2]))
    scores: dict[int, set[float]] = {}
    for line in (tmp_path / "requests.jsonl").read_text().splitlines():
        scores.setdefault(json.loads(line)["request"], set()).add(json.loads(line)["score"])
    differs = max(number for number, found in scores.items() if len(found) > 1)
    assert "cause: unattributed: " not in told(results, str(differs), capsys)
    story = told(tmp_path, str(differs), capsys)
    assert "cause: unattributed: its rows in counterfactuals.jsonl are missing; run crossover compare again; " in story
    assert told(tmp_path, "misroute", capsys).startswith("misroute: the 10 worst")


def copy(results: Path, to: Path) -> None:
    for file in results.iterdir():
        (to / file.name).write_bytes(file.read_bytes())


def row(score: float | None, *steps: str, text: str = "a", error: str | None = None) -> dict[str, Any]:
    told = [{"kind": kind, "outcome": "ok"} for kind in steps]
    return {"arm": "x", "score": score, "reason": "why", "steps": told, "model": "m", "text": text, "error": error}


@pytest.mark.parametrize(
    ("hit", "no_cache", "large", "word"),
    [
        (
            "cache",
            row(1, "large"),
            row(1, "large"),
            "hit on another model's answer: m from the cache scored 0, m (large) 1",
        ),
        ("similar", row(1, "small"), row(1, "large"), "false hit: m from the cache scored 0, m (small) 1"),
        ("similar", row(0, "small"), row(1, "large"), "misroute: m (small) scored 0, m (large) 1"),
        ("cache", row(0, "large"), row(0, "large"), "backend: m (large) scored 0, m (call) 1"),
    ],
)
def test_each_cause_in_words(hit: str, no_cache: Any, large: Any, word: str) -> None:
    others = {"no_cache": no_cache, "always_large": large, "large_with_cache": large}
    assert cause(row(0, hit), row(1, "call"), others, "") == word


def test_causes_that_cancel_are_told_and_equal_scores_have_none() -> None:
    others = dict.fromkeys(("always_large", "large_with_cache"), row(1, "large"))
    both = cause(row(0, "small"), row(0, "call"), {**others, "no_cache": row(0, "small")}, "")
    assert both == "misroute: m (small) scored 0, m (large) 1; backend: m (large) scored 1, m (call) 0"
    equal = cause(row(1, "large"), row(1, "call"), {**others, "no_cache": row(1, "large")}, "")
    assert equal == "no difference in score"
    assert cause(row(None), row(1), {}, "") == "not known: why"
    assert cause(row(1), row(0), {}, "it was down").startswith("unattributed: it was down; ")


@pytest.mark.parametrize(("step", "where"), [("cache", " from the cache"), ("large", " (large)")])
def test_a_model_that_is_not_told_is_never_called_none(step: str, where: str) -> None:
    told = cause({**row(1, step), "model": None}, row(0, "call"), {}, "x")
    assert told == f"unattributed: x; x did better, a model that is not told{where} scored 1, m (call) 0"


LINE: dict[str, Any] = {
    "request": 0, "item": "a", "group": "g", "task": "t", "text": "a", "error": None, "score": 1, "reason": "",
    "model": "m", "steps": None, "latency_s": 0.5, "cost_usd": 0.25, "history": [], "question": "?", "reference": None,
    "repeat": False,
}  # fmt: skip
CALLED = {"kind": "large", "outcome": "ok", "seconds": 0.1, "detail": "", "after_answer": False}
TIMED = {"model": "m", "input_tokens": 1, "output_tokens": 1, "seconds": 0.4}


@pytest.mark.parametrize(
    ("kind", "price", "steps", "latency", "cost"),
    [
        ("log", None, None, "recorded", "recorded"),
        ("http", {"per_call_usd": None, "input_usd": None}, None, "measured", "vendor-claimed"),
        ("http", {"per_call_usd": 0.25, "input_usd": None}, None, "measured", "assumed"),
        ("builtin", None, [{**CALLED, "call": {**TIMED, "timing": "recorded"}}], "recorded", "assumed"),
        ("builtin", None, [{**CALLED, "call": {**TIMED, "timing": "measured"}}], "measured", "assumed"),
        ("builtin", None, [{**CALLED, "kind": "cache", "call": None}], "measured", "assumed"),
    ],
)
def test_a_known_figure_never_stands_beside_the_word_unknown(
    tmp_path: Path, kind: str, price: Any, steps: Any, latency: str, cost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The arm's mean is unknown, since another request's latency or cost is."""
    (tmp_path / "requests.jsonl").write_text(json.dumps({**LINE, "arm": "legacy", "steps": steps}))
    report = {
        "provenance": {"scenario": {"legacy": {"kind": kind}}, "prices": {"legacy.call": price} if price else {}},
        "standing": {"/latency/legacy": "unknown", "/cost/legacy/usd_per_answer": "unknown"},
        "quality": {"attribution": None},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert f"latency 500.0 ms ({latency}), cost $0.25000000 ({cost})" in told(tmp_path, "0", capsys)


def test_every_request_of_a_run_has_its_words(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        assert "(unknown)" not in told(results, kind, capsys)
