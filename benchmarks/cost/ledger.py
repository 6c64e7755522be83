"""What each arm used and gave, counted by group of questions: tokens, calls, decisions, wrong answers, hits.

Counted over the requests that are scored in both arms, so that both are judged by the same ones. A failed request that
does not tell its tokens adds none and is still a wrong answer; where an answered one does not, that arm's tokens are
not known, since those that tell would not stand for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cost.rates import Rate
from benchmarks.cost.uncertain import MOST_GROUPS, Draws, Key, Totals
from benchmarks.rows import CALLS, Row
from benchmarks.scenario import ARMS, Arm
from benchmarks.targets.target import REPORTED
from shared.contract import Usage

Rates = Mapping[tuple[str, str], Rate]
"""By arm and kind of call."""


@dataclass(slots=True)
class Ledger:
    """Columns with one entry a cluster: the requests of one task and one group of questions.

    `reason` says why nothing could be counted, `untold` why an arm's dollars are not known, "" where they are;
    `steps_told` and `tokens_told`: whether an arm tells which of its answers are hits, and all of its tokens.

    Keys: (arm, count) with count "requests", "acceptable", "hits", "acceptable hits" or "tokens"; (arm, "reported" or
    "reported hits") in US dollars; (arm, "wrong" or "wrong hits", task); (arm, "used" or "spare", kind, what) with what
    "prompt", "output" or "call".
    """

    columns: Mapping[Key, list[float]] = field(default_factory=dict)
    clusters: Sequence[tuple[str, str]] = ()
    reason: str = ""
    untold: dict[Arm, str] = field(default_factory=lambda: dict.fromkeys(ARMS, ""))
    steps_told: dict[Arm, bool] = field(default_factory=lambda: dict.fromkeys(ARMS, True))
    tokens_told: dict[Arm, bool] = field(default_factory=lambda: dict.fromkeys(ARMS, True))

    @property
    def requests(self) -> int:
        return int(sum(self.columns.get(("legacy", "requests"), ())))

    @property
    def tasks(self) -> list[str]:
        return sorted({task for task, _ in self.clusters})

    def totals(self, draws: Draws, task: str | None = None) -> Totals:
        """Sums of the columns, with draws, of all tasks or of one; none where nothing was counted."""
        if self.reason:
            return {}
        chosen = [number for number, (name, _) in enumerate(self.clusters) if task is None or name == task]
        codes: dict[str, int] = {}
        for number in chosen:
            codes.setdefault(self.clusters[number][1], len(codes) % MOST_GROUPS)
        of_groups: dict[Key, list[float]] = {}
        for key, column in self.columns.items():
            of_groups[key] = [0.0] * min(len(codes), MOST_GROUPS)
            for number in chosen:
                of_groups[key][codes[self.clusters[number][1]]] += column[number]
        return draws.totals(of_groups, of_groups["legacy", "requests"])


def count(arms: Mapping[Arm, Sequence[Row]], rates: Rates, acceptable: float) -> Ledger:
    """The ledger of both arms. An answer that scores `acceptable` or more is a decision."""
    if silent := [arm for arm in ARMS if any(row.text_missing for row in arms[arm])]:
        return Ledger(reason=f"texts of {' and '.join(silent)} were not kept, so answers cannot be judged")
    scored = [{row.asked.number for row in arms[arm] if row.score is not None} for arm in ARMS]
    both = scored[0] & scored[1]
    if not both:
        return Ledger(reason="no request is scored in both arms")
    clusters: dict[tuple[str, str], int] = {}
    of_request: dict[int, int] = {}
    for row in arms["legacy"]:
        if row.asked.number in both:
            cluster = row.asked.item.task, row.asked.item.group
            of_request[row.asked.number] = clusters.setdefault(cluster, len(clusters))
    columns: defaultdict[Key, list[float]] = defaultdict(lambda: [0.0] * len(clusters))
    ledger = Ledger(columns, list(clusters))
    for arm in ARMS:
        for row in arms[arm]:
            if row.asked.number in both:
                _count_one(ledger, row, of_request[row.asked.number], rates, acceptable)
    return ledger


def _count_one(ledger: Ledger, row: Row, cluster: int, rates: Rates, acceptable: float) -> None:
    def add(amount: float, *key: str) -> None:
        ledger.columns[(row.arm, *key)][cluster] += amount

    _outcome(row, acceptable, add)
    why = _spent(row, rates, add)
    counts = [_tokens(usage) for usage in row.usages]
    add(float(sum(each or 0 for each in counts)), "tokens")
    if row.error is None:
        ledger.untold[row.arm] = ledger.untold[row.arm] or why
        ledger.steps_told[row.arm] &= row.steps is not None
        ledger.tokens_told[row.arm] &= None not in counts


Add = Callable[..., None]


def is_acceptable(row: Row, least: float) -> bool:
    """Whether the product can act on this answer."""
    return row.error is None and row.score is not None and row.score.value >= least


def _outcome(row: Row, acceptable: float, add: Add) -> None:
    add(1.0, "requests")
    good = is_acceptable(row, acceptable)
    add(float(good), "acceptable")
    if not good:
        add(1.0, "wrong", row.asked.item.task)
    if row.hit:
        add(1.0, "hits")
        add(float(good), "acceptable hits")
        if not good:
            add(1.0, "wrong hits", row.asked.item.task)


def _spent(row: Row, rates: Rates, add: Add) -> str:
    """Adds the tokens or dollars of a request; returns why they are not known, "" where they are."""
    steps = row.steps or ()
    if row.steps is None or any(step.detail == REPORTED for step in steps):
        if row.cost_usd is not None:
            add(row.cost_usd, "reported")
            if row.hit:
                add(row.cost_usd, "reported hits")
            return ""
        rate = rates.get((row.arm, "call"))
        if rate is None or not rate.rented:
            return "its cost is not reported, and no price stands for it"
        return "" if row.hit else _add_usage(row.usages[0], add, "used", "call", by_call=False)
    ok = [number for number, step in enumerate(steps) if step.kind in CALLS and step.outcome == "ok"]
    answered = ok[-1] if ok and row.error is None else None
    for number, step in enumerate(steps):
        if step.kind not in CALLS:
            continue
        if step.completion is None:
            return "a call failed, and what it cost was not told"
        rate, use = rates.get((row.arm, step.kind)), "used" if number == answered else "spare"
        by_call = rate is not None and rate.price.per_call_usd is not None
        if why := _add_usage(step.completion.usage, add, use, step.kind, by_call=by_call):
            return why
    return ""


def _add_usage(usage: Usage, add: Add, use: str, kind: str, *, by_call: bool) -> str:
    """What is paid for by the call costs the same whatever its tokens, told or not."""
    if not by_call and (usage.input_tokens is None or usage.output_tokens is None):
        return "the tokens of a call were not told"
    add(usage.input_tokens or 0, use, kind, "prompt")
    add(usage.output_tokens or 0, use, kind, "output")
    add(1.0, use, kind, "call")
    return ""


def _tokens(usage: Usage) -> int | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens
