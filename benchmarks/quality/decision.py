"""Is the difference real? Paired scores and their groups in; an interval, a word and what it would take to decide out.

better: the whole interval lies above 0. worse: below 0. equivalent: between minus and plus the margin, which comes
before the other two. inconclusive: anything else, and any difference that is no larger than the noise floor. A further
flag, `not_worse`, says that the interval lies above minus the margin: what a migration needs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks.quality.further import items_for_equivalence, items_needed
from benchmarks.quality.interval import clustered, design_effect, difference, effective_groups, padded, quantile
from benchmarks.quality.mcnemar import mcnemar
from benchmarks.quality.tango import score, tango
from shared.errors import BadInput

Word = Literal["better", "worse", "equivalent", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Direct less legacy, in [-1, 1], with its two-sided 95 % interval; None where nothing can be said.

    `discordance` is the share of items with different scores, `p_worse` one-sided, `further_items` those that would
    decide with 80 % power if the difference stayed as it is: 0 where it is decided, None where no number would do.
    """

    estimate: float | None
    low: float | None
    high: float | None
    word: Word
    not_worse: bool
    reason: str
    method: str
    items: int
    groups: int
    discordance: float | None
    design_effect: float | None
    further_items: int | None
    mcnemar_p: float | None
    p_worse: float | None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def decide(
    legacy: Sequence[float],
    direct: Sequence[float],
    groups: Sequence[Hashable],
    *,
    weights: Sequence[float] | None = None,
    margin: float = 0.02,
    noise: float | None = None,
) -> Decision:
    """One entry an item: both scores in [0, 1], its group, and its weight where items do not count alike.

    Scores of 0 and 1 alone get Tango's interval on counts over the design effect, others (or any with weights) the
    clustered t with two pseudo-items. `noise` is the largest difference between two runs of one and the same system.
    Raises `BadInput` for a score that is not a number in [0, 1].
    """
    for value in (*legacy, *direct):
        if not 0.0 <= value <= 1.0:  # NaN, too
            raise BadInput(f"a score is {value}; it must be a number from 0 to 1")
    values = [after - before for before, after in zip(legacy, direct, strict=True)]
    count = len(set(groups))
    if count < 2:
        return _undecided(values, count)
    binary = weights is None and all(value in (0.0, 1.0) for value in (*legacy, *direct))
    estimate = clustered(values, groups, weights)[0]
    effect = design_effect(values, groups)
    gained, lost = sum(value > 0 for value in values), sum(value < 0 for value in values)
    if binary:
        low, high = tango(gained / effect, lost / effect, len(values) / effect, quantile(groups))
        statistic = score(gained / effect, lost / effect, len(values) / effect, 0.0)
    else:
        low, high = difference(values, groups, weights)
        mean, error, _ = padded(values, groups, weights)
        statistic = mean / error
    word, reason = word_of(low, high, estimate, margin, noise)
    variance = (sum(value * value for value in values) + 2) / (len(values) + 2)  # never 0, as no interval has no width
    further: int | None = 0
    if word == "inconclusive":  # more items do not get a difference out of the noise
        inside = _is_noise(estimate, noise)
        further = None if inside else _further(estimate, variance, effect, margin, len(values))
    return Decision(
        estimate,
        low,
        high,
        word,
        low > -margin and (noise is None or noise < margin),
        reason,
        "Tango's score interval over the design effect" if binary else "clustered t with two pseudo-items",
        len(values),
        count,
        (gained + lost) / len(values),
        effect,
        further,
        mcnemar(gained, lost) if binary else None,
        _p_worse(statistic, groups, weights),
    )


def word_of(low: float, high: float, estimate: float, margin: float, noise: float | None) -> tuple[Word, str]:
    """The word for an interval, and the reason in a few words."""
    points = f"[{low * 100:+.1f}, {high * 100:+.1f}] points"
    if noise is not None and _is_noise(estimate, noise):
        floor = f"{noise * 100:.1f} points between two runs of one system"
        return "inconclusive", f"the difference is no larger than the noise floor, {floor}"
    if -margin < low and high < margin:
        return "equivalent", f"{points} lies within the margin of {margin * 100:g} points"
    if low > 0:
        return "better", f"{points} lies above 0"
    if high < 0:
        return "worse", f"{points} lies below 0"
    return "inconclusive", f"{points} holds 0 and reaches beyond the margin of {margin * 100:g} points"


def _is_noise(estimate: float, noise: float | None) -> bool:
    """A floor of 0 hides nothing: the system repeats itself exactly."""
    return noise is not None and noise > 0 and abs(estimate) <= noise


def _undecided(values: Sequence[float], groups: int) -> Decision:
    what = f"{len(values)} item{'s' * (len(values) != 1)}"
    in_one = " of one group" if len(values) > 1 else ""
    return Decision(
        sum(values) / len(values) if values else None,
        None,
        None,
        "inconclusive",
        not_worse=False,
        reason=f"cannot be decided from {what}{in_one}",
        method="none",
        items=len(values),
        groups=groups,
        discordance=None,
        design_effect=None,
        further_items=None,
        mcnemar_p=None,
        p_worse=None,
    )


def _further(estimate: float, variance: float, effect: float, margin: float, items: int) -> int:
    """To the nearest of the words that the estimate points at."""
    needed = [items_needed(max(abs(estimate), 1e-6), estimate, variance, effect)]
    if margin - abs(estimate) > 1e-6:
        needed.append(items_for_equivalence(margin, estimate, variance, effect))
    return max(min(needed) - items, 1)


def _p_worse(statistic: float, groups: Sequence[Hashable], weights: Sequence[float] | None) -> float:
    """One-sided: how often a difference of 0 or more would look this bad."""
    from scipy.stats import t

    if math.isinf(statistic):
        return 0.0 if statistic < 0 else 1.0
    return float(t.cdf(statistic, max(effective_groups(groups, weights) - 1, 1)))
