"""What a comparison asks of paid models: an estimate before, a bound while it runs.

A model is paid for where it is reached through `litellm:` or `http:`, and so is a system of kind `http` or `python`.
Before each request the most it could cost is added to what was spent, counting a token for each byte sent, every token
that may be answered, and every retry. What a provider charges besides is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.rows import Row
from benchmarks.run import BudgetReached
from benchmarks.scenario import Arm, Scenario
from benchmarks.systems import Legacy, own_price
from benchmarks.targets.builtin import price_of
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared.contract import Completion, Request, Usage
from shared.errors import BadInput
from shared.pricing import Price

RETRIED: Final = frozenset({("legacy", "large"), ("direct", "call")})
"""The calls of the built-in pipelines that are made a second time where the first fails."""
BYTES_PER_TOKEN: Final = 4
TEMPLATE_TOKENS: Final = 8
"""A message's share of a chat template. With `BYTES_PER_TOKEN` it gives 201 tokens a prompt of the built-in test split,
on average, where Qwen's tokenizer counts 197."""
TOKENS_PER_MESSAGE: Final = 16
"""Generous: what a chat template may add around a message."""


class Budget:
    """`max_usd` bounds what paid models may cost; None: no bound. Raises `BadInput` where a price is not known."""

    def __init__(self, scenario: Scenario, max_usd: float | None) -> None:
        self.calls = scenario.calls
        self.paid = {key for key, call in self.calls.items() if call.paid}
        self._builtin = {arm for arm, chosen in scenario.arms.items() if chosen.kind == "builtin"}
        self._max_usd = max_usd
        # one arm after the other: the first must leave the second its half
        first_of_two = scenario.one_by_one and any(arm == "direct" for arm, _ in self.paid)
        self._shares: dict[Arm, float] = {"legacy": 0.5 if first_of_two else 1.0, "direct": 1.0}
        self.spent_usd = 0.0
        self.prices: dict[tuple[Arm, str], Price] = {}
        if max_usd is not None:
            self.prices = self.known_prices()
            for key, price in self.prices.items():
                if not price.known:
                    raise BadInput(
                        f"--max-usd cannot be kept: no price is known for {self.calls[key].whom}; give one in the "
                        "scenario file (small_price, large_price or price), such as { input = 0.15, output = 0.60 } "
                        "or { per_call = 0 }"
                    )

    def known_prices(self) -> dict[tuple[Arm, str], Price]:
        """The price of each paid model, by arm and kind of call."""
        return {key: self._price(key) for key in sorted(self.paid)}

    def _price(self, key: tuple[Arm, str]) -> Price:
        call = self.calls[key]
        return price_of(call.whom, call.price) if key[0] in self._builtin else own_price(call.price)

    def check(self, request: Request, arm: Arm) -> None:
        """Raises `BudgetReached` where this request could pass the bound."""
        if self._max_usd is None:
            return
        worst = sum(
            self._worst_usd(request, key) * (2 if arm in self._builtin and key in RETRIED else 1)
            for key in self.paid
            if key[0] == arm
        )
        self._refuse(worst, arm, self._max_usd * self._shares[arm])

    def spend(self, row: Row) -> None:
        """Count what a row's calls cost; a call whose tokens are unknown counts as its most."""
        if self._max_usd is None:
            return
        if row.arm not in self._builtin:
            if (row.arm, "call") in self.paid:
                worst = self._worst_usd(row.request, (row.arm, "call"))
                self.spent_usd += worst if row.cost_usd is None else row.cost_usd
            return
        for step in row.steps or ():
            self.spend_call(row.request, (row.arm, step.kind), step.completion)

    def release(self) -> None:
        """Both arms are done: what is left of the bound is for what comes after them."""
        self._shares = dict.fromkeys(self._shares, 1.0)

    def check_call(self, request: Request, key: tuple[Arm, str]) -> None:
        """Raises `BudgetReached` where one call could pass the bound."""
        if self._max_usd is not None and key in self.paid:
            self._refuse(self._worst_usd(request, key), " ".join(key), self._max_usd)

    def spend_call(self, request: Request, key: tuple[Arm, str], completion: Completion | None) -> None:
        """Count one call; where nothing came of it, or its tokens are unknown, as its most."""
        if self._max_usd is not None and key in self.paid:
            cost = self.prices[key].cost(completion.usage) if completion else None
            self.spent_usd += self._worst_usd(request, key) if cost is None else cost

    def _refuse(self, worst: float, whom: str, bound: float) -> None:
        if self.spent_usd + worst > bound:
            raise BudgetReached(
                f"${self.spent_usd:.4f} spent; the next request to {whom} could cost ${worst:.4f}, which would pass "
                f"its ${bound:g} of --max-usd {self._max_usd:g}"
            )

    def _worst_usd(self, request: Request, key: tuple[Arm, str]) -> float:
        sent = prompt_bytes(request) + TOKENS_PER_MESSAGE * len(request.messages)
        return self.prices[key].cost(Usage(sent, request.max_tokens)) or 0.0


def prompt_bytes(request: Request) -> int:
    """Bytes of all messages in UTF-8."""
    return sum(len(message.content.encode()) for message in request.messages)


def why_not_again(scenario: Scenario, arm: Arm) -> str | None:
    """Why a second run of this arm would tell nothing about noise; None where it would."""
    if arm in scenario.logs:
        return "a log was answered once"
    whom = [call.whom for (called, _), call in scenario.calls.items() if called == arm]
    if scenario.arms[arm].kind == "builtin" and all(each.startswith("recorded:") for each in whom):
        return "recorded answers repeat exactly"
    return None


def estimate(scenario: Scenario, questions: Workload, stream: Sequence[Asked], repeats: int = 1) -> str:
    """A table of calls, tokens and dollars. Tokens are estimated from bytes; answers are counted at their longest.

    Counterfactual answers are within it: a model that was asked a question is not asked it again for them.
    """
    budget = Budget(scenario, None)
    prices = budget.known_prices()
    distinct = {asked.item.id: asked.item for asked in stream}
    first = [questions.request(item) for item in distinct.values()]
    every = [questions.request(asked.item) for asked in stream]
    lines = ["estimated, nothing was asked; the built-in legacy is taken to answer repeats from its cache"]
    if isinstance(scenario.legacy, Legacy):
        lines.append(
            "its counts hold the calls for the causes of the difference: no model is asked a question twice for them"
        )
    header = f"{'model':<44} {'calls':>8} {'tokens in':>12} {'tokens out':>12} {'US dollars':>12}"
    lines += [header, "-" * len(header)]
    total: float | None = 0.0
    for key, call in budget.calls.items():
        arm, kind = key
        requests = every if kind == "call" else first
        requests = requests * (1 if why_not_again(scenario, arm) else repeats)
        usage = Usage(
            sum(prompt_bytes(each) // BYTES_PER_TOKEN + TEMPLATE_TOKENS * len(each.messages) for each in requests),
            sum(each.max_tokens for each in requests),
        )
        cost = _together_usd(prices[key], usage, len(requests)) if call.paid else 0.0
        total = None if cost is None or total is None else total + cost
        dollars = "not paid" if not call.paid else "not known" if cost is None else f"about {cost:.4f}"
        name = arm if kind == "call" else f"{arm} {kind}"
        lines.append(
            f"{f'{name}: {call.whom}'[:44]:<44} {f'<= {len(requests):,}':>8} {usage.input_tokens:>12,} "
            f"{usage.output_tokens:>12,} {dollars:>12}"
        )
    lines += [f"{arm}: a log, nobody is asked" for arm in scenario.logs]
    dollars = "not known" if total is None else f"about ${total:.4f}"
    lines.append(f"together: {dollars}, retries aside" if budget.calls else "nobody is asked")
    return "\n".join(lines)


def _together_usd(price: Price, usage: Usage, calls: int) -> float | None:
    return price.per_call_usd * calls if price.per_call_usd is not None else price.cost(usage)
