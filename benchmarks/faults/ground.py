"""What the virtual cells stand on: the models at their hardware's pace, the classifier, and who asks what when.

The default preset of `crossover compare`: recorded answers, emulated hardware, the trained classifier. Next: `play.py`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Final, NamedTuple

from benchmarks.faults.cell import Arm, Place
from benchmarks.scenario import load as load_scenario
from benchmarks.targets.builtin import hardware_of, open_backend, open_classifier
from benchmarks.workloads import traffic, workload
from legacy_pipeline.classifier import Classifier
from shared import clock
from shared.backends.emulated import EmulatedBackend
from shared.contract import Backend, Request
from shared.errors import BadInput
from shared.hardware.catalogue import Figure

WARM: Final = 130
BROKEN: Final = 670
AFTER: Final = 30
"""Requests before, during and after the fault. 670 support a p99, and 662 are needed."""
RATE: Final = 20.0
"""Requests a second, arriving at random."""
LOAD: Final = 10.0
"""How many times as many come under ten times the load."""
DEADLINE_S: Final = 30.0
"""The contract's own default."""
IN_FLIGHT: Final = 256
"""Most requests that a model's hardware accepts, running and waiting: assumed, for the catalogue does not know it."""
MAIN: Final[Mapping[Arm, Place]] = {"legacy": "large", "direct": "call"}
"""The model that answers what no other part does."""
OTHER: Final = "recorded:smollm2-135m"
"""Who answers where another model does: none that either pipeline has."""
BURST: Final = 67
"""Clients that ask the same at once in a stampede: ten bursts."""
LEAVING: Final = 3
"""One client in so many leaves."""


class Script(NamedTuple):
    """Who asks what, and when in seconds from the start. The fault lasts for `BROKEN` requests from number `WARM` on.

    `leave_s` is after how many seconds a client goes away, None where it stays.
    """

    questions: Sequence[str]
    due_s: Sequence[float]
    leave_s: Sequence[float | None]


class Ground:
    """Questions, recordings and classifier, read once. Raises `BadInput` where one of them is missing."""

    def __init__(self) -> None:
        scenario = load_scenario()
        limit = {"in_flight": Figure(IN_FLIGHT, "assumed", "for the fault matrix", "", IN_FLIGHT, IN_FLIGHT)}
        self.hardware = {kind: row.with_assumed(limit) for kind, row in hardware_of(scenario).items()}
        self.models = {kind: open_backend(place) for kind, place in scenario.places.items()}
        self.other = open_backend(OTHER)
        self._workload = workload.load()

    @cached_property
    def classifier(self) -> Classifier:
        """The one trained for the two models of the preset."""
        found, notes = open_classifier(self.models["small"].identity, self.models["large"].identity)
        if found is None:
            raise BadInput("; ".join(notes))
        return found

    @cached_property
    def requests(self) -> Mapping[str, Request]:
        """Every test question, by its id."""
        items = self._workload.split("test")
        return {item.id: self._workload.request(item, deadline_s=DEADLINE_S) for item in items}

    @cached_property
    def healthy(self) -> Mapping[Arm, Mapping[str, frozenset[str]]]:
        """What the models of a pipeline answer to each question."""
        kinds: Mapping[Arm, Sequence[str]] = {"legacy": ("small", "large"), "direct": ("call",)}

        return {arm: self._texts([self.models[kind] for kind in of_arm]) for arm, of_arm in kinds.items()}

    @cached_property
    def others(self) -> Mapping[str, frozenset[str]]:
        """What the other model answers to each question."""
        return self._texts([self.other])

    def _texts(self, models: Sequence[Backend]) -> Mapping[str, frozenset[str]]:
        async def texts() -> dict[str, frozenset[str]]:
            return {
                question: frozenset([(await model.complete(request)).text for model in models])
                for question, request in self.requests.items()
            }

        return clock.run(texts(), virtual=True)

    def at_once(self, arm: Arm) -> tuple[int | None, list[int]]:
        """How many requests the arm's main model serves at once, and, where that is assumed, its range in doublings.

        None where nobody knows and nothing is assumed: then it does not bind.
        """
        figure = self.hardware[MAIN[arm]].figures["capacity"]
        value = None if figure.value is None else int(figure.value)
        if figure.standing != "assumed" or figure.low is None or figure.high is None:
            return value, []
        found = [int(figure.low)]
        while found[-1] * 2 < figure.high:
            found.append(found[-1] * 2)
        return value, sorted({*found, int(figure.high)})

    def backend(self, kind: str, at_once: int | None = None, *, other: bool = False) -> EmulatedBackend:
        """A model at its hardware's pace, for one event loop: the place's own, or the other one in its place.

        It serves `at_once` requests at once, as far as the range assumed for it allows; None is what is assumed anyway.
        """
        hardware = self.hardware[kind]
        figure = hardware.figures["capacity"]
        if at_once is not None and figure.low is not None and figure.high is not None:
            value = min(max(at_once, figure.low), figure.high)
            hardware = hardware.with_assumed({"capacity": replace(figure, value=value)})
        return EmulatedBackend(self.other if other else self.models[kind], hardware)

    def script(self, seed: int) -> Script:
        """Every question of the workload's stream when it comes, with the repeats that the default preset has."""
        count = WARM + BROKEN + AFTER
        items = self._workload.split("test")
        asked = traffic.stream(items, repeat_share=0.31, zipf=1.0, limit=count, seed=seed)
        rng = random.Random(seed)  # noqa: S311  # seeded arrivals, no secret
        due, at = [], 0.0
        for _ in asked:
            at += rng.expovariate(RATE)
            due.append(at)
        return Script([each.item.id for each in asked], due, [None] * count)


@cache
def ground() -> Ground:
    """Read once in a process."""
    return Ground()


def stampede(script: Script, seed: int) -> Script:
    """Bursts of one new question each, a second apart, in place of the middle part."""
    asked = {*script.questions[:WARM]}
    fresh = sorted({*script.questions[WARM:]} - asked)
    chosen = random.Random(seed).sample(fresh, BROKEN // BURST)  # noqa: S311
    start = script.due_s[WARM]
    questions = [*script.questions[:WARM], *(each for each in chosen for _ in range(BURST)), *script.questions[-AFTER:]]
    due = [*script.due_s[:WARM], *(start + number // BURST for number in range(BROKEN)), *script.due_s[-AFTER:]]
    return Script(questions, due, script.leave_s)


def spread(script: Script, due_s: Sequence[float]) -> Script:
    """The same questions at other times."""
    return script._replace(due_s=due_s)


def crowd(script: Script) -> Script:
    """The middle part comes so many times as fast, and the last part after it as usual."""
    start = script.due_s[WARM]
    middle = [start + (at - start) / LOAD for at in script.due_s[WARM : WARM + BROKEN]]
    return script._replace(due_s=[*script.due_s[:WARM], *middle, *script.due_s[-AFTER:]])


def leavers(script: Script, usual_s: Sequence[float], seed: int) -> Script:
    """One client in `LEAVING` of the middle part goes away before its usual answer is complete."""
    rng = random.Random(seed)  # noqa: S311
    leave: list[float | None] = [*script.leave_s]
    for number in range(WARM, WARM + BROKEN):
        if rng.randrange(LEAVING) == 0:
            leave[number] = rng.random() * usual_s[number]
    return script._replace(leave_s=leave)
