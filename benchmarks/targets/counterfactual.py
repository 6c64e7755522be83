"""What legacy would have answered without its cache, and had the large model answered everything.

The answers come from the real legacy pipeline put together otherwise: with a cache that keeps nothing, without a
classifier (then every question goes to the large model), and, for the other order of taking away, without a classifier
behind a real cache. The pipeline does not know. It is asked only where the outcome can differ from what legacy itself
did: a request that missed the cache has its own answer as the one without cache, and one that the large model answered
has it as the large model's.

A model that the run has asked the same question already is not asked again: legacy's own answer is used, the latest one
given up to that request, and where legacy has none but direct has the same model, the earliest of direct's. So chance
between two samples of one model is no effect of the cache or the router, and an exact hit scores otherwise only where
another model would answer now; how answers age as things change, `crossover drift` tells. What is missing, mostly the
large model's answers to questions routed to the small one, is asked after both arms are done, one request after
another; on a paid model that costs money, within the run's bound, and is no cost of either arm. Where such a call
fails, or could pass the bound, the answer is not known and the request stays unattributed. A request without a score in
both arms is not asked: nothing can be told from it.

Limits, stated. Direct samples anew each time it is asked, so where its model is legacy's large one the backend effect
is the chance between its answers and the one taken here. In the cache behind the router an answer ages by the time
this takes, not by that of the run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from benchmarks.budget import Budget
from benchmarks.quality.attribution import Name, small_answered
from benchmarks.rows import Row
from benchmarks.run import ALIKE, BudgetReached, ask
from benchmarks.scenario import Scenario
from benchmarks.systems import Legacy
from benchmarks.targets.builtin import BuiltinTarget, open_legacy
from benchmarks.targets.target import Target
from benchmarks.workloads.workload import Workload
from legacy_pipeline.app import build
from legacy_pipeline.cache import AnswerCache, Cached, NotStored
from legacy_pipeline.pipeline import LegacyPipeline
from shared.backends.recorded import recording_key
from shared.contract import Backend, Completion, Identity, Request
from shared.errors import BackendRefused, BadInput, CrossoverError, MissingRecording
from shared.pricing import UNKNOWN

Known = dict[tuple[Identity, str], Completion]
"""Answers by model and `recording_key`."""
PRICES: Final = {"small": UNKNOWN, "large": UNKNOWN}
"""A counterfactual answer costs neither arm anything."""


class NoCache(AnswerCache):
    """Never hits and keeps nothing; its keys are the real ones."""

    async def get(self, key: str) -> Cached | None:  # noqa: ARG002
        return None

    async def similar(self, request: Request) -> Cached | None:  # noqa: ARG002
        return None

    async def put(self, key: str, request: Request, completion: Completion | None) -> NotStored:  # noqa: ARG002
        return self._leave_out("there is no cache")


@dataclass(slots=True)
class RememberingBackend:
    """A backend asked only what is not known, and not again where `ALIKE` requests failed and no answer is known.

    `allow` may raise `BudgetReached` before a call; `spend` is told what came of it, None for nothing. `missing` says
    why an answer that was wanted could not be had; `refused` has every call fail, for a request whose answer is known
    to have failed.
    """

    backend: Backend
    known: Known
    allow: Callable[[Request], None]
    spend: Callable[[Request, Completion | None], None]
    missing: str = ""
    refused: bool = False
    _failures: int = field(default=0, init=False)

    @property
    def identity(self) -> Identity:
        return self.backend.identity

    async def complete(self, request: Request) -> Completion:
        key = self.identity, recording_key(request)
        if self.refused:
            raise BackendRefused(f"{self.identity.model} gave no answer to this request")
        if key in self.known:
            return self.known[key]
        first, self.missing = not self.missing, f"{self.identity.model} gave no answer in time"
        try:
            self.known[key] = completion = await self._ask(request, first=first)
        except CrossoverError as error:
            self.missing = str(error)
            raise
        self.missing = ""
        return completion

    async def _ask(self, request: Request, *, first: bool) -> Completion:
        """`first`: it is no second try of the same request."""
        if first and self._failures >= ALIKE and not any(who == self.identity for who, _ in self.known):
            raise BackendRefused(f"{self.identity.model} was not asked again after its first {ALIKE} requests failed")
        try:
            self.allow(request)
        except BudgetReached as reached:
            raise BackendRefused(str(reached)) from None
        completion = None
        self._failures += first
        try:
            completion = await self.backend.complete(request)
        except MissingRecording:  # says nothing about the next question
            self._failures -= first
            raise
        finally:
            self.spend(request, completion)
        return completion

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        completion = await self.complete(request)
        yield completion.text
        yield completion

    async def aclose(self) -> None:
        """Three pipelines share the backend: whoever opened it closes it."""


class Counterfactuals:
    """The counterfactual pipelines of a scenario whose legacy arm is built in, ready to be asked. The caller closes it.

    `found` holds the answers, None of a request's or all three, and `reason` why the first that has none has none.
    Raises `BadInput` where a model cannot be had.
    """

    def __init__(self, scenario: Scenario, workload: Workload, scratch: Path, budget: Budget) -> None:
        chosen = scenario.legacy
        if not isinstance(chosen, Legacy):
            raise TypeError("only the built-in legacy pipeline has counterfactuals")
        self.parts = parts = open_legacy(scenario)
        self._workload, self._known = workload, Known()

        def remembering(kind: str, backend: Backend) -> RememberingBackend:
            return RememberingBackend(
                backend,
                self._known,
                lambda request: budget.check_call(request, ("legacy", kind)),
                lambda request, completion: budget.spend_call(request, ("legacy", kind), completion),
            )

        self._small, self._large = remembering("small", parts.small), remembering("large", parts.large)
        self._models = {"small": self._small.identity, "large": self._large.identity}
        always = chosen.settings.model_copy(update={"small_first": False})
        cache = NoCache(scratch / "no_cache", list(self._models.values()))
        no_semantic = chosen.settings.model_copy(update={"semantic": False})
        pipelines: dict[Name, LegacyPipeline] = {
            "no_cache": LegacyPipeline(cache, parts.classifier, self._small, self._large, no_semantic),
            "always_large": LegacyPipeline(cache, None, self._small, self._large, always),
            "large_with_cache": build(scratch / "large_with_cache", None, self._small, self._large, always),
        }
        self._targets = {
            name: BuiltinTarget("legacy", pipeline, PRICES, self._models) for name, pipeline in pipelines.items()
        }
        self.found: dict[Name, list[Row]] = {name: [] for name in pipelines}
        self.reason = ""

    async def answer(
        self, legacy: Sequence[Row], direct: Sequence[Row], asked: Target, done: Callable[[], None]
    ) -> None:
        """The counterfactuals of all requests scored in both arms, in their order, into `found`.

        `asked` is the direct arm's target.
        """
        scored = {row.asked.number for row in direct if row.score}
        for rows, identities in ((reversed(direct), asked.identities), (reversed(legacy), self._models)):
            for row in rows:  # backwards, so that the earliest answer stands until a later one is reached
                self._remember(row, identities)
        for row in legacy:
            self._remember(row, self._models)
            if row.score and row.asked.number in scored and (answers := await self._of(row)):
                for name, answer in answers.items():
                    self.found[name].append(replace(answer, latency_s=None, overhead_s=None, cost_usd=None))
            done()

    async def _of(self, row: Row) -> dict[Name, Row] | None:
        no_cache = await self._ask("no_cache", row) if row.hit else row
        if no_cache is None:
            return None
        large = await self._ask("always_large", row) if small_answered(no_cache) else no_cache
        if large is None:
            return None
        self._remember(large, self._models)
        self._large.refused = large.error is not None
        cached = await self._ask("large_with_cache", row)
        self._large.refused = False
        return None if cached is None else {"no_cache": no_cache, "always_large": large, "large_with_cache": cached}

    async def _ask(self, name: Name, row: Row) -> Row | None:
        self._small.missing = self._large.missing = ""
        answer, why = None, ""
        try:
            answer = await ask(row.asked, row.request, self._targets[name], self._workload)
        except (MissingRecording, BadInput) as error:  # a recording that lacks it, or holds what cannot be scored
            why = str(error)
        why = self._small.missing or self._large.missing or why
        self.reason = self.reason or why
        return None if why else answer

    def _remember(self, row: Row, identities: Mapping[str, Identity]) -> None:
        if row.calls:
            key = recording_key(row.request)
            for each in row.steps or ():
                if each.completion and each.kind in identities:
                    self._known[identities[each.kind], key] = each.completion

    async def aclose(self) -> None:
        for target in self._targets.values():
            await target.aclose()
        for each in (self._small, self._large):
            await each.backend.aclose()
