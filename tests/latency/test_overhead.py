"""What the pipelines' code costs: the profile, and that its seconds pass where work is done and queue for one core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import calibrate
from benchmarks.latency.driver import Reply, Samples, open_loop
from benchmarks.overhead import DEFAULT, STEPS, Profile, Step, charge
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.cascade import Cascade, Route
from legacy_pipeline.pipeline import ASIDE_S, LegacyPipeline
from legacy_pipeline.settings import Settings
from shared import clock
from shared.backends.vote import VoteBackend
from shared.contract import Answer, Pipeline, Request
from shared.errors import BadInput
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import Script, ScriptedBackend, ask

MODEL_S = 0.25
COSTS_US: dict[Step, int] = {step: 1 << place for place, step in enumerate(STEPS)}
"""Every sum of these tells what it is made of."""


def profile(**costs_s: float | None) -> Profile:
    """One with `COSTS_US`, but for those given, in seconds."""
    seconds = {step: us / 1e6 for step, us in COSTS_US.items()} | costs_s
    costs = {
        step: each if each is None else {"p50_s": each, "p5_s": each, "p95_s": each, "samples": 1}
        for step, each in seconds.items()
    }
    return Profile.model_validate(json.loads(DEFAULT.read_bytes()) | {"costs": costs})


def sum_s(*steps: Step) -> float:
    return sum(COSTS_US[step] for step in steps) / 1e6


def model() -> ScriptedBackend:
    return ScriptedBackend([Script([(MODEL_S, "yes")])])


def legacy(folder: Path, **chosen: Any) -> LegacyPipeline:
    return build(folder / "cache", None, model(), model(), Settings(**chosen))


def spent(pipeline: Pipeline, *requests: Request, streamed: bool = False) -> list[Answer]:
    """Their answers, one after the other, under virtual time."""

    async def one(request: Request) -> Answer:
        if not streamed:
            return await answer(pipeline, request, background)
        *_, last = [item async for item in stream(pipeline, request, background)]
        assert isinstance(last, Answer)
        return last

    async def main() -> list[Answer]:
        answers = []
        for request in requests:
            answers.append(await one(request))
            await background.drain()
        await pipeline.aclose()
        return answers

    background = Background()
    return clock.run(main(), virtual=True)


MISS = sum_s("legacy_own", "key", "miss", "legacy_miss_own", "classify", "adapter") + MODEL_S
HIT = sum_s("legacy_own", "key", "hit")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_legacy_answer_takes_the_sum_of_what_was_done_for_it(tmp_path: Path, streamed: bool) -> None:
    missed, hit = spent(charge(legacy(tmp_path), profile()), ask(), ask(), streamed=streamed)
    assert missed.seconds == pytest.approx(MISS, abs=1e-12)
    assert hit.seconds == pytest.approx(HIT, abs=1e-12)
    took = {step.kind: step.seconds for step in missed.steps}
    expected: dict[str, Step] = {"cache": "miss", "classify": "classify", "store": "store", "large": "adapter"}
    assert took == pytest.approx(
        {kind: sum_s(step) + (MODEL_S if kind == "large" else 0) for kind, step in expected.items()}, abs=1e-12
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_a_direct_answer_takes_its_one_call(streamed: bool) -> None:
    (found,) = spent(charge(DirectPipeline(model()), profile()), ask(), streamed=streamed)
    assert found.seconds == pytest.approx(sum_s("direct_own", "adapter") + MODEL_S, abs=1e-12)
    assert found.first_text_s == pytest.approx(found.seconds, abs=1e-12)


def test_a_question_is_judged_once_and_paid_for_each_time(tmp_path: Path) -> None:
    judged = []

    class Counting(Cascade):
        async def route(self, request: Request) -> Route:
            judged.append(request)
            return await super().route(request)

    plain = legacy(tmp_path)
    plain.cascade = Counting(None, plain.settings)
    tenants = [ask(scope=(("tenant", str(number)),)) for number in range(3)]
    answers = spent(charge(plain, profile()), *tenants, ask("Is it off?"))
    assert len(judged) == 2
    assert [each.seconds for each in answers] == pytest.approx([MISS] * 4, abs=1e-12)


def test_the_pipeline_itself_is_left_as_it_was(tmp_path: Path) -> None:
    plain = legacy(tmp_path)
    before = vars(plain) | {}
    charge(plain, profile())
    assert vars(plain) == before
    missed, hit = spent(plain, ask(), ask())
    assert (missed.seconds, hit.seconds) == (MODEL_S, 0.0)


def test_in_real_time_nothing_is_charged(tmp_path: Path) -> None:
    slow = profile(key=10.0, miss=10.0, direct_own=10.0)

    async def main() -> str:
        got = await answer(charge(DirectPipeline(ScriptedBackend()), slow), ask(), Background())
        assert got.seconds < 5.0
        return got.text

    assert clock.run(main()) == "yes"


def test_every_ballot_of_a_vote_is_a_call() -> None:
    voting = DirectPipeline(VoteBackend(model(), 3, temperature=0.5))
    (found,) = spent(charge(voting, profile()), ask())
    # the last of three calls goes out after all three were paid for
    assert found.seconds == pytest.approx(sum_s("direct_own") + 3 * sum_s("adapter") + MODEL_S, abs=1e-12)


def test_code_is_no_time_out_however_long_it_takes(tmp_path: Path) -> None:
    """On any event loop a time limit fires where code waits, not while it runs."""
    slow = profile(miss=2 * ASIDE_S, classify=2 * ASIDE_S)
    (missed,) = spent(charge(legacy(tmp_path), slow), ask())
    assert {step.kind: step.outcome for step in missed.steps if step.kind in ("cache", "classify")} == {
        "cache": "none",
        "classify": "ok",
    }


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e-3), min_size=1, max_size=30))
def test_code_queues_for_one_core_and_waiting_for_a_model_does_not(gaps_s: list[float]) -> None:
    """Direct answers that come together: the first call's cost is waited for by the second, its model is not."""
    due_s = [sum(gaps_s[: place + 1]) for place in range(len(gaps_s))]
    own_s = sum_s("direct_own", "adapter")
    samples = Samples()

    async def main() -> None:
        pipeline, background = charge(DirectPipeline(model()), profile()), Background()

        async def send(_: int) -> Reply:
            await answer(pipeline, ask(), background)
            return Reply()

        await open_loop(due_s, send, samples)

    clock.run(main(), virtual=True)
    free_s, expected = 0.0, []
    for due in due_s:
        free_s = max(free_s, due) + own_s
        expected.append(free_s + MODEL_S)
    assert sorted(samples.done_s) == pytest.approx(expected, abs=1e-9)


def test_a_semantic_look_up_that_was_not_measured_is_refused(tmp_path: Path) -> None:
    plain = legacy(tmp_path)
    plain.settings = Settings(semantic=True)
    plain.cascade = Cascade(None, plain.settings)
    with pytest.raises(BadInput, match=r"semantic = true; measure it with: crossover calibrate"):
        charge(plain, profile(similar=None))
    missed, _ = spent(charge(plain, profile()), ask(), ask())
    assert missed.seconds == pytest.approx(MISS + sum_s("similar"), abs=1e-12)
    plain.cache.close()


def test_the_profile_that_comes_with_the_project_is_whole() -> None:
    shipped = Profile.load(None)
    assert shipped.standing == "recorded"
    assert {step for step in STEPS if step != "similar"} <= shipped.seconds.keys()
    assert all(shipped.costs[step].samples >= 100 for step in shipped.seconds)  # type: ignore[union-attr]


def _changed(**fields: object) -> str:
    return json.dumps(json.loads(DEFAULT.read_bytes()) | fields)


def _cost(**fields: object) -> str:
    costs = json.loads(DEFAULT.read_bytes())["costs"]
    return _changed(costs=costs | {"key": costs["key"] | fields})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ("[]", "the file"),
        (_changed(schema="crossover-overhead/9"), "schema"),
        (_changed(standing="measured"), "standing"),
        (_changed(costs={}), "costs lack key, hit, miss, classify"),
        (_changed(costs=json.loads(DEFAULT.read_bytes())["costs"] | {"adapter": None}), "costs lack adapter"),
        (_changed(further=1), "further"),
        (_changed(busy_cores=-1), "busy_cores"),
        (_cost(p50_s=-1e-6), "costs.key.p50_s"),
        (_cost(p50_s="fast"), "costs.key.p50_s"),
        (_cost(p50_s=9.0), "must not fall"),
        (_cost(samples=0), "costs.key.samples"),
        (_cost(p50_s=float("nan")), "costs.key.p50_s"),
    ],
)
def test_a_bad_profile_is_refused_by_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "profile.json"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        Profile.load(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert said in str(refused.value)
    assert f"crossover calibrate --out {file}" in str(refused.value)


def test_a_profile_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there; make it with: crossover calibrate"):
        Profile.load(tmp_path / "none.json")
    with pytest.raises(BadInput, match="cannot be read"):
        Profile.load(tmp_path)


def test_calibrating_measures_every_step_and_writes_what_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibrate, "BLOCKS", 2)
    out = tmp_path / "profile.json"
    assert calibrate.run(out, as_json=True) == 0
    assert out.read_text() == capsys.readouterr().out
    found = Profile.load(out)
    assert set(found.costs) == set(STEPS)
    assert all(cost is not None for step, cost in found.costs.items() if step != "similar")
    assert found.seconds["classify"] > 0
    shown = calibrate.table(found)
    assert all(step in shown for step in STEPS)


def test_calibrating_refuses_a_place_that_cannot_be_written_before_it_measures(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        calibrate.run(tmp_path / "none" / "profile.json", as_json=False)
