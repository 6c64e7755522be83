"""Votes: the majority wins, everything is paid for, one failure loses one vote, nothing is left running."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_pipeline.cache import AnswerCache
from shared import clock
from shared.backends.vote import VoteBackend, elected, final_answer
from shared.contract import Completion, Request, Usage
from shared.errors import BackendRefused, BackendUnavailable, BadInput, InvalidRequest
from shared.run import answer, stream
from shared.steps import Background
from tests.contract.pipelines import direct
from tests.fakes import HANG, Script, ScriptedBackend, ask


def says(text: str, after_s: float = 0.0) -> Script:
    return Script([(after_s, text)])


def voting(*scripts: Script) -> tuple[VoteBackend, ScriptedBackend]:
    inner = ScriptedBackend(scripts)
    return VoteBackend(inner, len(scripts), temperature=0.7, seed=7), inner


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


def complete(backend: VoteBackend, request: Request | None = None) -> Completion:
    return clock.run(backend.complete(request or ask()), virtual=True)


def test_the_majority_wins() -> None:
    assert complete(voting(says("4"), says("5"), says("5"))[0]).text == "5"


def test_texts_that_differ_in_case_spacing_and_full_stop_vote_alike_and_the_earliest_is_given() -> None:
    assert complete(voting(says("4"), says(" The  cat."), says("the cat"))[0]).text == " The  cat."


def test_a_chain_of_thought_votes_with_its_final_answer() -> None:
    assert complete(voting(says("9"), says("2+2=4 Answer: 4"), says("4+0=4 Answer: 4"))[0]).text == "2+2=4 Answer: 4"


def test_a_tie_goes_to_the_earliest_sample_however_late_it_comes() -> None:
    assert complete(voting(says("a", 9.0), says("b"), says("b"), says("a"))[0]).text == "a"


def test_samples_are_told_apart_and_drawn_as_asked() -> None:
    backend, inner = voting(says("a"), says("a"), says("a"))
    complete(backend, ask(temperature=0.0, max_tokens=9))
    assert [each.sample for each in inner.requests] == [0, 1, 2]
    assert {(each.temperature, each.seed, each.max_tokens) for each in inner.requests} == {(0.7, 7, 9)}


def test_they_are_asked_side_by_side_and_the_slowest_decides() -> None:
    got = complete(voting(says("a", 1.0), says("a", 3.0), says("b", 2.0))[0])
    assert (got.seconds, got.first_token_s, got.timing) == (3.0, 3.0, "measured")


def test_every_sample_is_paid_for() -> None:
    got = complete(voting(Script([(0, "a"), (0, " b")]), says("a"), says("a"))[0])
    assert got.usage == Usage(3, 4)


def test_one_answer_is_enough() -> None:
    failing = Script([], BackendUnavailable("down"))
    assert complete(voting(failing, says("a"), failing)[0]).text == "a"


def test_where_all_fail_the_first_error_is_the_callers() -> None:
    backend, _ = voting(Script([(1.0, "half")], BackendRefused("no")), Script([], BackendUnavailable("down")))
    with pytest.raises(BackendRefused, match="no"):
        complete(backend)


def test_a_blank_text_has_no_vote() -> None:
    assert complete(voting(says(" "), says(" "), says("a"))[0]).text == "a"
    assert complete(voting(says(" "), says(" "))[0]).text == " "


@pytest.mark.parametrize("error", [InvalidRequest("too long"), RuntimeError("a bug")])
def test_what_is_no_models_failure_ends_all_at_once(error: Exception) -> None:
    async def main() -> None:
        backend, inner = voting(Script([(1.0, "")], error), says("never", HANG))
        with pytest.raises(type(error), match=str(error)):
            await backend.complete(ask())
        assert inner.running == 0
        assert clock.now() == 1.0

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_caller_stops_every_sample(streamed: bool) -> None:
    async def main() -> None:
        backend, inner = voting(*[says("never", HANG)] * 5)
        work = anext(backend.stream(ask())) if streamed else backend.complete(ask())
        task = asyncio.ensure_future(work)
        await asyncio.sleep(1)
        assert inner.running == 5
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inner.running == 0

    virtually(main())


def test_a_stream_gives_the_winner_whole_and_its_completion_last() -> None:
    async def main() -> None:
        backend, _ = voting(Script([(1.0, "a"), (1.0, "b")]), says("ab"), says("c"))
        async with aclosing(backend.stream(ask())) as items:
            text, completion = [item async for item in items]
        assert text == "ab"
        assert isinstance(completion, Completion)
        assert (completion.text, completion.seconds) == ("ab", 2.0)

    virtually(main())


def test_votes_of_another_number_or_temperature_are_another_identity_for_caches(tmp_path: Path) -> None:
    inner = ScriptedBackend()
    drawn = [(1, 0.7, 7), (2, 0.7, 7), (2, 0.8, 7), (2, 0.7, 8), (2, 0.7, None)]
    identities = [inner.identity, *(VoteBackend(inner, n, temperature=t, seed=s).identity for n, t, s in drawn)]
    assert len({each.digest() for each in identities}) == len(identities)
    keys = {AnswerCache(tmp_path / str(n), [each]).key(ask()) for n, each in enumerate(identities)}
    assert len(keys) == len(identities)


def test_no_vote_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match="votes is 0; it must be 1 or more"):
        VoteBackend(ScriptedBackend(), 0, temperature=0.7)


def test_closing_it_closes_the_model() -> None:
    backend, inner = voting(says("a"))
    clock.run(backend.aclose())
    assert inner.closed


@dataclass
class Relabelled(ScriptedBackend):
    """Gives completions whose seconds and tokens came about in another way."""

    changes: dict[str, Any] = field(default_factory=dict)

    async def complete(self, request: Request) -> Completion:
        return replace(await super().complete(request), **self.changes)


def test_recorded_seconds_say_nothing_of_several_at_once() -> None:
    inner = Relabelled([says("a", 1.0)], changes={"timing": "recorded", "seconds": 5.0})
    got = complete(VoteBackend(inner, 3, temperature=0.7))
    assert (got.seconds, got.first_token_s, got.timing) == (None, None, "unknown")


def test_emulated_seconds_have_passed() -> None:
    got = complete(VoteBackend(Relabelled([says("a", 1.0)], changes={"timing": "emulated"}), 3, temperature=0.7))
    assert (got.seconds, got.timing) == (1.0, "emulated")


def test_tokens_that_one_sample_does_not_tell_are_not_known() -> None:
    got = complete(VoteBackend(Relabelled(changes={"usage": Usage(None, 3)}), 2, temperature=0.7))
    assert got.usage == Usage(None, 6)


@pytest.mark.parametrize("streamed", [False, True])
def test_the_direct_pipeline_stays_as_it_is(streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        backend, inner = voting(says("a", 1.0), says("b", 1.0), says("b", 1.0))
        pipeline = direct(backend, tmp_path)
        if streamed:
            got = [item async for item in stream(pipeline, ask(), Background())][-1]
        else:
            got = await answer(pipeline, ask(), Background())
        assert not isinstance(got, str)
        assert (got.text, got.seconds) == ("b", 1.0)
        await pipeline.aclose()
        assert inner.closed

    virtually(main())


def test_a_failed_vote_is_tried_again_by_the_pipeline(tmp_path: Path) -> None:
    async def main() -> None:
        failing = Script([], BackendUnavailable("down"))
        inner = ScriptedBackend([failing, failing, says("a")])
        backend = VoteBackend(inner, 2, temperature=0.7)
        assert (await answer(direct(backend, tmp_path), ask(), Background())).text == "a"
        assert inner.calls == 4

    virtually(main())


@given(st.lists(st.sampled_from(["a", "A ", "b", "b.", "x Answer: a", "", " "]), min_size=1, max_size=9))
def test_the_elected_has_no_fewer_votes_than_any_other_and_is_the_first_of_its_kind(texts: Sequence[str]) -> None:
    place = elected(texts)
    votes = [final_answer(text) for text in texts]
    counts = Counter(vote for vote in votes if vote)
    assert not counts or counts[votes[place]] == max(counts.values())
    assert votes.index(votes[place]) == place
    most = [vote for vote, count in counts.items() if count == max(counts.values())]
    assert not counts or votes[place] == min(most, key=votes.index)
