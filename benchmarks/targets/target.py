"""What anything that can be compared gives for one request, whatever it is: a pipeline of this repo, a URL, a log.

A target tells what it knows. What it does not tell is None, which every measure shows as "not measured".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.scenario import Arm
from benchmarks.workloads.traffic import Asked
from shared.contract import Completion, Identity, Request, Usage
from shared.pricing import Price
from shared.steps import Step

STAGES: Final = {"cache": "cache", "small": "small", "large": "large", "call": "call", "direct": "call"}
"""The words a target may say for what answered, and the kind of step that each means."""
REPORTED: Final = "as reported"
"""The detail of a step that a target told: it says who answered, not which calls were made on the way."""

MOST: Final = 1e15
"""The largest number that is believed: 30,000 years in milliseconds."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request; seconds and US dollars; None is not measured.

    `text` is None where there was no answer (then `error` says why) or where a log left it out. `steps` is None where
    the target does not tell what it did; then `usage` may still hold the tokens that it counts for the whole request.
    `cost_reported`: a running system told its cost itself, so that no price went into it.
    """

    text: str | None
    model: str | None = None
    error: str | None = None
    latency_s: float | None = None
    overhead_s: float | None = None
    cost_usd: float | None = None
    steps: tuple[Step, ...] | None = None
    usage: Usage = Usage()
    cost_reported: bool = False


class Target(Protocol):
    """Something that answers requests. `prices` and `identities` go by the kind of the call; a log has none."""

    @property
    def arm(self) -> Arm: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report must know about it."""
        ...

    @property
    def identities(self) -> Mapping[str, Identity]: ...

    @property
    def prices(self) -> Mapping[str, Price]: ...

    async def ask(self, asked: Asked, request: Request) -> Reply:
        """What came of it: a target that fails says so in `Reply.error`. Raises `BadInput` for a wrong scenario."""
        ...

    async def aclose(self) -> None: ...


def cost_usd(reported: float | None, price: Price, usage: Usage, stage: str | None) -> float | None:
    """What a request cost in US dollars: what the target reports, else by its price; None is not known.

    An answer out of a cache called no model, so its tokens cost nothing. A price for each call holds for it too.
    """
    if reported is None and stage == "cache" and price.known and price.per_call_usd is None:
        return 0.0
    return price.cost(usage) if reported is None else reported


def steps_of_stage(stage: str, completion: Completion | None) -> tuple[Step, ...]:
    """The steps that a reported stage stands for. A cached answer has no completion: nothing was paid for it.

    Their seconds are 0 since nothing of them passed in this process; the completion's own say how long it took.
    Raises `ValueError` for a word that is no stage.
    """
    if stage not in STAGES:
        raise ValueError(f"stage is none of {', '.join(STAGES)}; leave it out where it is not known")
    kind = STAGES[stage]
    return (Step(kind, "ok", 0.0, 0.0, REPORTED, None if kind == "cache" else completion),)
