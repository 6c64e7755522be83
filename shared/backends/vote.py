"""Best of N: asks one backend N times, side by side, and gives the answer that most of the samples agree on.

Speed spent on quality (self-consistency, arXiv 2203.11171). It is a backend like any other, so a pipeline over it stays
as it is. It helps where samples of one question differ and the right answer is the most frequent one; where the model
is wrong more often than right about a question, votes make that certain.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from shared.clock import now
from shared.contract import Backend, Completion, Identity, Request, Usage
from shared.errors import BackendError, BadInput


class VoteBackend:
    """A `Backend` that answers by a majority of `n` samples of `inner`, drawn at `temperature` and, if given, `seed`.

    Samples are told apart by `Request.sample`, from 0. The text is the earliest sample's among those that agree with
    the majority, ties going to the earliest answer; its log-probabilities and finish reason come with it. `usage` is
    the sum over the samples that answered, for all were paid for. `seconds` is what passed until the last one; where
    the samples' own seconds did not pass on the clock (recorded ones), nothing is known of `n` at once. Samples that
    fail have no vote; where all do, the first one's error is raised. Raises `BadInput` for `n` below 1.
    """

    def __init__(self, inner: Backend, n: int, *, temperature: float, seed: int | None = None) -> None:
        if n < 1:
            raise BadInput(f"votes is {n}; it must be 1 or more")
        self._inner, self._n, self._temperature, self._seed = inner, n, temperature, seed
        drawn = f"votes-{n}-temperature-{temperature:g}-seed-{seed}"
        self._identity = replace(inner.identity, version=f"{inner.identity.version}+{drawn}")

    @property
    def identity(self) -> Identity:
        """The inner one's, and how the votes are drawn: answers of other votes are other answers."""
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """The majority's answer, once every sample has answered or failed."""
        begun = now()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._sample(request, sample)) for sample in range(self._n)]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        outcomes = [task.result() for task in tasks]
        answered = [each for each in outcomes if isinstance(each, Completion)]
        if not answered:
            raise next(each for each in outcomes if isinstance(each, BackendError))
        return _elected(answered, now() - begun)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The majority's answer in one piece: nobody knows the winner before the last vote is in."""
        completion = await self.complete(request)
        if completion.text:
            yield completion.text
        yield completion

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _sample(self, request: Request, sample: int) -> Completion | BackendError:
        asked = replace(request, temperature=self._temperature, seed=self._seed, sample=sample)
        try:
            return await self._inner.complete(asked)
        except BackendError as error:
            return error


def final_answer(text: str) -> str:
    """What a text votes for: what follows its last "Answer:", or all of it; case, spacing and full stop aside."""
    return " ".join(text.rpartition("Answer:")[2].split()).casefold().removesuffix(".")


def elected(texts: Sequence[str]) -> int:
    """The place of the winning text; a blank one has no vote unless all are blank. Ties go to the earliest."""
    votes = [final_answer(text) for text in texts]
    counts = Counter(vote for vote in votes if vote)
    return votes.index(max(counts, key=counts.__getitem__)) if counts else 0


def _elected(answered: Sequence[Completion], passed_s: float) -> Completion:
    """The winner with the tokens of all. Seconds that no clock saw pass are not known."""
    winner = answered[elected([each.text for each in answered])]
    timings = {each.timing for each in answered}
    passed = timings <= {"measured", "emulated"}
    return replace(
        winner,
        usage=Usage(
            _sum([each.usage.input_tokens for each in answered]), _sum([each.usage.output_tokens for each in answered])
        ),
        first_token_s=passed_s if passed else None,
        seconds=passed_s if passed else None,
        timing=("emulated" if "emulated" in timings else "measured") if passed else "unknown",
    )


def _sum(tokens: Sequence[int | None]) -> int | None:
    known = [each for each in tokens if each is not None]
    return sum(known) if len(known) == len(tokens) else None
