"""Counterfactual answers: what the run knows is used, what it does not is asked, and failures stay failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from benchmarks.budget import Budget
from benchmarks.quality.attribution import measure
from benchmarks.rows import Row, Score
from benchmarks.scenario import Scenario, load
from benchmarks.targets.builtin import open_target
from benchmarks.targets.counterfactual import Counterfactuals
from benchmarks.workloads import workload
from benchmarks.workloads.traffic import Asked
from shared.contract import Completion, Usage
from shared.steps import Step
from tests.targets.endpoint import Endpoint, added, serving, write_workload


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint()) as found:
        yield found


def scenario(folder: Path, url: str) -> Scenario:
    file = folder / "crossover.toml"
    file.write_text(
        f'[traffic]\nworkload = "{write_workload(folder / "sums")}"\n'
        f'[legacy]\nsmall = "http:{url}/v1#small"\nlarge = "http:{url}/v1#large"\nsettings.small_first = true\n'
        f'[direct]\nmodel = "http:{url}/v1#direct"\n'
    )
    return load(file)


Told = tuple[str | None, float, tuple[Step, ...]]
"""An answer, None for a failure, its score, and its steps."""


def call(kind: str, text: str) -> Step:
    return Step(kind, "ok", 0.0, 0.1, completion=Completion(text, kind, Usage(1, 1)))


HIT = Step("similar", "ok", 0.0, 0.0, "similarity 0.900")
FAILED = Step("large", "error", 0.0, 0.1, "BackendRefused: no")


def counterfactuals(chosen: Scenario, scratch: Path, *told: Told) -> tuple[list[Row], list[Row], Counterfactuals]:
    """Rows as told, of one question each, and what the counterfactual pipelines make of them."""
    questions = workload.load(chosen.workload_folder)
    rows: dict[str, list[Row]] = {"legacy": [], "direct": []}
    for number, (text, score, steps) in enumerate(told):
        item = questions.items[number]
        for arm, answer, value in (("legacy", text, score), ("direct", added(item.input), 1.0)):
            rows[arm].append(
                Row(
                    Asked(number, item, repeat=False), questions.request(item), arm, answer, arm,  # type: ignore[arg-type]
                    None if answer else "BackendRefused: no", Score(value, ""), 0.1, 0.0, None,
                    steps if arm == "legacy" else (call("call", str(answer)),),
                )
            )  # fmt: skip

    async def run() -> Counterfactuals:
        async with aclosing(Counterfactuals(chosen, questions, scratch, Budget(chosen, None))) as asking:
            direct = open_target("direct", chosen, scratch)
            async with aclosing(direct):
                await asking.answer(rows["legacy"], rows["direct"], direct, lambda: None)
        return asking

    return rows["legacy"], rows["direct"], asyncio.run(run())


def test_a_false_hit_is_asked_anew_and_both_models_are(endpoint: Endpoint, tmp_path: Path) -> None:
    """The answer to another question was served; nobody was asked this one."""
    legacy, direct, asking = counterfactuals(scenario(tmp_path, endpoint.url), tmp_path, ("99", 0.0, (HIT,)))
    assert sorted(body["model"] for body in endpoint.asked) == ["large", "small"]
    found = measure(legacy, direct, asking.found)
    assert found is not None
    assert found["cache_parts"]["false_hit"] == {"requests": 1, "effect": 1.0}
    assert found["routing_parts"]["unavoidable"]["requests"] == 1
    assert (found["cache"], found["routing"], found["backend"]) == (1.0, 0.0, 0.0)
    assert found["worst"]["false_hit"] == [0]


def test_what_failed_in_the_run_stays_failed_and_is_not_asked(endpoint: Endpoint, tmp_path: Path) -> None:
    legacy, direct, asking = counterfactuals(scenario(tmp_path, endpoint.url), tmp_path, (None, 0.0, (FAILED,)))
    assert endpoint.asked == []
    assert [rows[0].error is not None for rows in asking.found.values()] == [True] * 3
    found = measure(legacy, direct, asking.found)
    assert found is not None
    assert (found["cache"], found["routing"], found["backend"], found["unattributed"]) == (0.0, 0.0, 1.0, 0)


def test_a_rejected_draft_leaves_nothing_to_route(endpoint: Endpoint, tmp_path: Path) -> None:
    steps = (Step("small", "rejected", 0.0, 0.1, completion=Completion("?", "small")), call("large", "1"))
    legacy, direct, asking = counterfactuals(scenario(tmp_path, endpoint.url), tmp_path, ("1", 1.0, steps))
    assert endpoint.asked == []
    found = measure(legacy, direct, asking.found)
    assert found is not None
    assert found["routing"] == 0.0
    assert {each["requests"] for each in found["routing_parts"].values()} == {0}


def test_the_cache_behind_the_router_holds_the_large_models_answer(endpoint: Endpoint, tmp_path: Path) -> None:
    """Small answered wrongly; the large model is asked once, and its answer is in both other pipelines."""
    _, _, asking = counterfactuals(scenario(tmp_path, endpoint.url), tmp_path, ("7", 0.0, (call("small", "7"),)))
    assert [body["model"] for body in endpoint.asked] == ["large"]
    assert {name: rows[0].text for name, rows in asking.found.items()} == {
        "no_cache": "7",
        "always_large": "1",
        "large_with_cache": "1",
    }
    kinds = [step.kind for step in asking.found["large_with_cache"][0].steps or ()]
    assert kinds == ["cache", "classify", "large", "store"]
