"""What a comparison asks of paid models: an estimate before, a bound while it runs.

A model is paid for where it is reached through `litellm:` or `http:`. Before each request the most it could cost is
added to what was spent, counting a token for each byte sent, every token that may be answered, and every retry. What
a provider charges besides tokens is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.rows import Row
from benchmarks.run import BudgetReached
from benchmarks.scenario import Arm, Scenario
from benchmarks.targets.builtin import price_of
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared.contract import Request, Usage
from shared.errors import BadInput
from shared.pricing import Price

PAID: Final = ("litellm:", "http:")
MOST_CALLS: Final[Mapping[Arm, Mapping[str, int]]] = {"legacy": {"small": 1, "large": 2}, "direct": {"call": 2}}
BYTES_PER_TOKEN: Final = 4
TEMPLATE_TOKENS: Final = 8
"""A message's share of a chat template. With `BYTES_PER_TOKEN` it gives 201 tokens a prompt of the built-in test split,
on average, where Qwen's tokenizer counts 197."""
TOKENS_PER_MESSAGE: Final = 16
"""Generous: what a chat template may add around a message."""


class Budget:
    """`max_usd` bounds what paid models may cost; None: no bound. Raises `BadInput` where a price is not known."""

    def __init__(self, scenario: Scenario, max_usd: float | None) -> None:
        self.places, self._named = scenario.places, scenario.named_prices
        self.paid = {kind for kind, place in self.places.items() if place.startswith(PAID)}
        self._max_usd = max_usd
        # one arm after the other: the first must leave the second its half
        first_of_two = scenario.one_by_one and "call" in self.paid
        self._shares: dict[Arm, float] = {"legacy": 0.5 if first_of_two else 1.0, "direct": 1.0}
        self.spent_usd = 0.0
        self.prices: dict[str, Price] = {}
        if max_usd is not None:
            self.prices = self.known_prices()
            for kind, price in self.prices.items():
                if price.input_usd is None or price.output_usd is None:
                    raise BadInput(
                        f"--max-usd cannot be kept: no price is known for {self.places[kind]}; "
                        "name one in the scenario file (small_price, large_price or price)"
                    )

    def known_prices(self) -> dict[str, Price]:
        """The price of each paid model, by the kind of its call."""
        return {kind: price_of(self.places[kind], self._named[kind]) for kind in sorted(self.paid)}

    def check(self, request: Request, arm: Arm) -> None:
        """Raises `BudgetReached` where this request could pass the bound."""
        if self._max_usd is None:
            return
        calls = {kind: most for kind, most in MOST_CALLS[arm].items() if kind in self.paid}
        worst = sum(self._worst_usd(request, kind) * most for kind, most in calls.items())
        bound = self._max_usd * self._shares[arm]
        if self.spent_usd + worst > bound:
            raise BudgetReached(
                f"${self.spent_usd:.4f} spent; the next request to {arm} could cost ${worst:.4f}, which would pass its "
                f"${bound:g} of --max-usd {self._max_usd:g}"
            )

    def spend(self, row: Row) -> None:
        """Count what a row's calls cost; a call whose tokens are unknown counts as its most."""
        for step in row.steps:
            if self._max_usd is not None and step.kind in self.paid:
                cost = self.prices[step.kind].cost(step.completion.usage) if step.completion else None
                self.spent_usd += self._worst_usd(row.request, step.kind) if cost is None else cost

    def _worst_usd(self, request: Request, kind: str) -> float:
        sent = prompt_bytes(request) + TOKENS_PER_MESSAGE * len(request.messages)
        return self.prices[kind].cost(Usage(sent, request.max_tokens)) or 0.0


def prompt_bytes(request: Request) -> int:
    """Bytes of all messages in UTF-8."""
    return sum(len(message.content.encode()) for message in request.messages)


def estimate(scenario: Scenario, questions: Workload, stream: Sequence[Asked]) -> str:
    """A table of calls, tokens and dollars. Tokens are estimated from bytes; answers are counted at their longest."""
    budget = Budget(scenario, None)
    prices = budget.known_prices()
    distinct = {asked.item.id: asked.item for asked in stream}
    first = [questions.request(item) for item in distinct.values()]
    every = [questions.request(asked.item) for asked in stream]
    lines = ["estimated, nothing was asked; legacy is taken to answer each question once and repeats from its cache"]
    header = f"{'model':<44} {'calls':>8} {'tokens in':>12} {'tokens out':>12} {'US dollars':>12}"
    lines += [header, "-" * len(header)]
    total: float | None = 0.0
    for kind, place in budget.places.items():
        requests = every if kind == "call" else first
        usage = Usage(
            sum(prompt_bytes(each) // BYTES_PER_TOKEN + TEMPLATE_TOKENS * len(each.messages) for each in requests),
            sum(each.max_tokens for each in requests),
        )
        paid = kind in budget.paid
        cost = prices[kind].cost(usage) if paid else 0.0
        total = None if cost is None or total is None else total + cost
        dollars = "not paid" if not paid else "not known" if cost is None else f"about {cost:.4f}"
        name = {"small": "legacy small", "large": "legacy large", "call": "direct"}[kind]
        lines.append(
            f"{f'{name}: {place}'[:44]:<44} {f'<= {len(requests):,}':>8} {usage.input_tokens:>12,} "
            f"{usage.output_tokens:>12,} {dollars:>12}"
        )
    lines.append(f"together: {'not known' if total is None else f'about ${total:.4f}'}, retries aside")
    return "\n".join(lines)
