"""What to send to whom, decided before anything is sent."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from benchmarks.compare import asked_by, check_arms
from benchmarks.latency.arrivals import Kind, schedule
from benchmarks.latency.goodput import Limits
from benchmarks.latency.trace import Trace
from benchmarks.loading.targets import Ask, Stream, arm_of, as_in_trace
from benchmarks.scenario import Scenario
from benchmarks.systems import KEY_VARIABLE
from shared.errors import BadInput

REQUESTS: Final = 1000
"""How many requests are sent in real time where nobody says how many."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What is left out at the start of every block: a share of its length, or seconds."""

    share: float = 0.0
    seconds: float = 0.0

    def ends(self, length_s: float) -> float:
        """Seconds from the start of a block of that length."""
        return max(self.share * length_s, self.seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """One or two targets and their load, the same for both.

    `rate` is requests a second, or None for a trace at its own pace; `users` makes a closed loop, which has no rate.
    `requests` is None for as many as there are: the scenario's in virtual time or the trace's, else `REQUESTS`.
    """

    names: tuple[str, ...]
    scenario: Scenario
    kind: Kind
    rate: float | None
    ramp_to: float
    seed: int
    warm_up: WarmUp
    requests: int | None = None
    trace: Trace | None = None
    users: int | None = None
    whole: bool = False
    real: bool = False

    @property
    def virtual(self) -> bool:
        """Whether all of it runs in virtual time."""
        return not self.real and self.scenario.virtual and all(arm_of(name) for name in self.names)

    @property
    def limits(self) -> Limits:
        """What goodput asks of an answer."""
        return Limits(self.scenario.latency.ttft_limit_s, self.scenario.latency.tpot_limit_s)

    def settled(self, stream: Stream | None = None) -> Settled:
        """The plan with its requests and their times. Raises `BadInput` where it cannot be carried out; asks nobody.

        `stream` is that of the same plan at another rate, so that nothing is read again.
        """
        arms = [arm_of(name) for name in self.names]
        if stream is None:
            self._check_keys()
            if any(arms):
                check_arms(self.scenario)
            questions = asked_by(self.scenario)
            stream = Stream(questions.workload, questions.stream, self.scenario.deadline_s)
        wanted = self.requests
        if wanted is None:
            wanted = len(self.trace.times_s) if self.trace else len(stream.asked)
            wanted = wanted if self.virtual else min(wanted, REQUESTS)
        replayed = self.trace and self.trace.replay(wanted, self.rate)
        notes = []
        like_trace = replayed and as_in_trace(replayed, self.scenario.deadline_s)
        if like_trace and any(arms):
            notes.append("the trace gives the times; the questions, and so the tokens, are the scenario's")
        elif like_trace:
            notes.append(
                "prompts have one word for each of the trace's tokens, so their lengths are nearly the trace's"
            )
        again = math.ceil(wanted / len(stream.asked))
        if again > 1 and not (like_trace and not any(arms)):
            tenants = f"the scenario's {len(stream.asked)} requests come {again} times over"
            untold = "; a URL's cache, if it has one, can answer the later rounds"
            notes.append(f"{tenants}, for a tenant of its own each time{'' if all(arms) else untold}")
        return Settled(
            replace(self, requests=wanted),
            stream,
            like_trace if like_trace and not any(arms) else stream.request,
            self._times(wanted, replayed),
            tuple(notes),
        )

    def _times(self, wanted: int, replayed: Trace | None) -> list[float]:
        if self.users is not None:
            return [0.0] * wanted
        if replayed is not None:
            found: list[float] = replayed.times_s.tolist()
            return found
        if self.rate is None:
            raise BadInput("there is no rate; give --rate, or a --trace with its own")
        drawn: list[float] = schedule(
            self.kind, rate=self.rate, count=wanted, seed=self.seed,
            burstiness=self.scenario.traffic.burstiness, ramp_to=self.ramp_to,
        ).tolist()  # fmt: skip
        return drawn

    def _check_keys(self) -> None:
        hosts = {urlsplit(name).netloc for name in self.names if arm_of(name) is None}
        if len(hosts) > 1 and os.environ.get(KEY_VARIABLE):
            raise BadInput(
                f"{KEY_VARIABLE} would be sent to {len(hosts)} different hosts; unset it, or load one by one"
            )


@dataclass(frozen=True, slots=True)
class Settled:
    """A plan with its requests by number, and when each is due, in seconds from 0 (all 0 in a closed loop)."""

    plan: Plan
    stream: Stream
    ask: Ask
    times: Sequence[float]
    notes: tuple[str, ...]
