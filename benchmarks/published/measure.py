"""Every figure of `crossover published`, as one document: shares in [0, 1], seconds, US dollars. Unknown is None.

For each group: the small model, which is what the silicon holds, less the large one; the cascade over both that keeps
the large model's quality less the margin, at three skills of routing and two hit rates; what the small model on the
silicon costs and takes beside it; how many votes would buy back what rounding takes; and what the large model on such
silicon would have to cost and run at.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.published import assumptions as given
from benchmarks.published.case import Case, per_decision
from benchmarks.published.counts import SHIPPED, Group, pooled, read
from benchmarks.published.model import (
    MARGIN,
    Routed,
    concentration,
    difference,
    majority,
    oracle_apgr,
    rounded,
    votes_for,
    weight_for,
    within_margin,
)
from benchmarks.published.reach import Reach, cascade_usd, in_cascade, on_hardware, sizes, stands_for
from shared.errors import BadInput
from shared.hardware.catalogue import catalogue, find

SKILLS: Final = ("none", "measured", "oracle")
STANDINGS: Final = {
    "counts and differences": "recorded",
    "what rounding takes": "assumed",
    "cascade": "assumed",
    "token counts": "assumed",
    "seconds": "emulated",
    "usd_per_decision of the cascade": "assumed",
    "usd_per_decision_at_claimed": "vendor-claimed",
    "votes": "assumed",
}
"""How each kind of figure came to be; list prices are those of the catalogue, at assumed token counts."""


def measure(
    *,
    outcomes: Path = SHIPPED,
    small: str = "",
    large: str = "",
    hardware: Sequence[str] = ("hc1",),
    files: Sequence[Path] = (),
) -> dict[str, Any]:
    """The document. Raises `BadInput` for a wrong file, an unknown row, or one that does not serve the small model."""
    groups = read(outcomes, small=small, large=large)
    every = {id_: on_hardware(row) for id_, row in catalogue(*files).items()}
    rows = [every[find(each, *files).id] for each in dict.fromkeys(hardware)]
    for row in rows:
        for name in dict.fromkeys(group.small for group in groups):
            if not stands_for(row, name):
                raise BadInput(
                    f"hardware {row.id} serves {row.model}, not {name}; name rows of the small model with --hardware"
                )
    found = [_group(group, rows, every) for group in groups]
    return {
        "outcomes": {"file": outcomes.name, "groups": len(groups), "answer_pairs": sum(g.counts.n for g in groups)},
        "standings": STANDINGS,
        "assumptions": _assumptions(groups, rows),
        "summary": _summary(found),
        "groups": found,
        "pooled": [_group(group, rows, every) for group in pooled(groups)],
    }


def _summary(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many groups have which word, and which verdict at the claimed price, as published and rounded."""
    ends, rows = ("published", "rounded"), groups[0]["direct"]
    return {
        "words": {end: Counter(group["direct_less_large"][end]["word"] for group in groups) for end in ends},
        "verdicts_at_claimed": {
            row: {end: Counter(g["direct"][row][end]["verdict_at_claimed"]["word"] for g in groups) for end in ends}
            for row in rows
        },
    }


def _assumptions(groups: Sequence[Group], rows: Sequence[Reach]) -> dict[str, Any]:
    benchmarks = dict.fromkeys(group.benchmark for group in groups)
    models = dict.fromkeys(name for group in groups for name in (group.small, group.large))
    claims = {row.id: row.claimed for row in rows}
    one, voted, between = given.DEMO
    alone, together, votes = given.SELF_CONSISTENCY
    return {
        "margin": MARGIN,
        "tokens": {name: asdict(given.tokens(name)) for name in benchmarks},
        "retained": {"most": asdict(given.RETAINED), "word_problems": asdict(given.RETAINED_GSM8K)},
        "routing_apgr": {"most": asdict(given.SKILL), "word_problems": asdict(given.SKILL_GSM8K)},
        "hit_rates": {"values": given.HIT_RATES, "why": given.HIT_RATE_WHY},
        "served": {name: asdict(given.SERVED[name]) if name in given.SERVED else None for name in models},
        "claimed_price": {id_: price and {**asdict(price), "why": given.CLAIMED_WHY} for id_, price in claims.items()},
        "votes": {
            "demo": {"one": one, "voted": voted, "votes": between},
            "demo_by_model": {name: [majority(one, n, k) for n in between] for name, k in hardness().items()},
            "study": {"one": alone, "voted": together, "votes": votes, "concentration": hardness()["spread"]},
        },
    }


def _group(group: Group, rows: Sequence[Reach], every: Mapping[str, Reach]) -> dict[str, Any]:
    counts = group.counts
    case = Case(
        group,
        {"published": 1.0, "rounded": given.retained(group.benchmark, group.name).value},
        sizes(given.tokens(group.benchmark)),
        in_cascade(group.small, every),
        in_cascade(group.large, every),
        {skill: _cascades(group, skill) for skill in SKILLS},
    )
    ends = {end: rounded(counts, retained) for end, retained in case.ends.items()}
    return {
        "benchmark": group.benchmark,
        "group": group.name,
        "small": group.small,
        "large": group.large,
        "source": group.source,
        "questions": counts.n,
        **asdict(counts),
        "small_share": counts.small,
        "large_share": counts.large,
        "direct_less_large": {end: asdict(difference(c.small_only, c.large_only, c.n)) for end, c in ends.items()},
        "cascade": {skill: _cascade(case, skill) for skill in SKILLS},
        "direct": {row.id: _direct(case, row) for row in rows},
        "votes": {row.id: _votes(case, row) for row in rows},
        "large_on_silicon": _silicon(case, rows[0], every.values()),
    }


def _cascades(group: Group, skill: str) -> list[Routed]:
    """At the skill as assumed, then at both ends of its range. Where the large model is not better nobody is routed."""
    if skill == "measured":
        assumed = given.skill(group.benchmark, group.name)
        weights = [weight_for(group.counts, apgr) for apgr in (assumed.value, assumed.low, assumed.high)]
    else:
        weights = [float(skill == "oracle")]
    return [within_margin(group.counts, weight or 0.0) for weight in weights]


def _cascade(case: Case, skill: str) -> dict[str, Any]:
    counts, routed, best = case.group.counts, case.cascades[skill][0], oracle_apgr(case.group.counts)
    measured = given.skill(case.group.benchmark, case.group.name).value
    apgr = {"none": 0.5, "measured": measured, "oracle": best}[skill]
    return {
        "apgr": None if best is None else apgr,
        "large_share": _range([each.share for each in case.cascades[skill]]),
        "quality": routed.quality,
        "direct_less_cascade": asdict(routed.direct_less_this(counts)),
        "by_hit_rate": {
            f"{rate:g}": {"usd_per_decision": case.usd(skill, rate), **asdict(case.times(skill, rate))}
            for rate in given.HIT_RATES
        },
    }


def _direct(case: Case, reach: Reach) -> dict[str, Any]:
    """The small model on one hardware, with all its right answers and with what rounding leaves of them."""
    return {
        "seconds": reach.seconds(case.sizes[0]),
        "price_standing": reach.price.standing,
        **{end: _end(case, reach, retained) for end, retained in case.ends.items()},
    }


def _end(case: Case, reach: Reach, retained: float) -> dict[str, Any]:
    size, quality = case.sizes[0], case.group.counts.small * retained
    gap = case.cascades["measured"][0].direct_less_this(case.group.counts, retained)
    known = per_decision(reach.usd(size), quality)
    claimed = per_decision(reach.usd(size, reach.claimed), quality) if reach.claimed else None
    return {
        "quality": quality,
        "less_cascade": asdict(gap),
        "usd_per_decision": known,
        "usd_per_decision_at_claimed": claimed,
        "break_even_usd_per_mtok": {skill: _break_even(case, skill, quality) for skill in SKILLS},
        "verdict": asdict(case.verdict(gap, known, reach.seconds(size))),
        "verdict_at_claimed": asdict(case.verdict(gap, known if claimed is None else claimed, reach.seconds(size))),
    }


def _break_even(case: Case, skill: str, quality: float, votes: int = 1) -> dict[str, Any]:
    """By hit rate: US dollars per million tokens, in and out alike, at which direct costs as much.

    Per acceptable decision: the cascade's cost x direct's quality / tokens of all its votes.
    """
    found = {}
    for rate in given.HIT_RATES:
        prices = []
        for routed in case.cascades[skill]:
            for size in case.sizes:
                usd = cascade_usd(routed, rate, case.small, case.large, size)
                prices.append(None if usd is None else usd * quality / (votes * sum(size)) * 1e6)
        found[f"{rate:g}"] = _range(prices)
    return found


def _votes(case: Case, reach: Reach) -> dict[str, Any]:
    """Votes that bring the rounded model to what it was before, and to the cascade's quality; None: not within 31."""
    routed, found, share = case.cascades["measured"][0], dict[str, Any](), case.group.counts.small
    for name, target in (("to_published", share), ("to_cascade", routed.quality)):
        votes = {model: votes_for(share * case.ends["rounded"], target, k) for model, k in hardness().items()}
        most = None if None in votes.values() else max(n for n in votes.values() if n is not None)
        seconds = reach.seconds(case.sizes[0])
        at_once = reach.pace.capacity if reach.pace else None
        found[name] = {
            "target": target,
            **votes,
            "break_even_usd_per_mtok": most and _break_even(case, "measured", target, most),
            "seconds": seconds * math.ceil(most / at_once) if seconds and most and at_once else None,
        }
    return found


def _silicon(case: Case, like: Reach, every: Iterable[Reach]) -> dict[str, Any]:
    """What the large model on such silicon must cost and run at, with the first token of `like`, to win the group.

    `may_lose` is the share of right answers that rounding may take before it is worse by the margin. `rows` are those
    that serve the large model, but for the cascade's own.
    """
    counts, routed = case.group.counts, case.cascades["measured"][0]
    rows = [row for row in every if stands_for(row, case.group.large)]
    return {
        "usd_per_mtok_below": _break_even(case, "measured", counts.large),
        "tok_s_at_least": {
            figure: _range([case.pace_for(figure, size, like) for size in case.sizes]) for figure in ("mean_s", "p99_s")
        },
        "may_lose": counts.large - routed.quality + MARGIN,
        "rows": {row.id: _row(case, row) for row in rows if row.id not in (case.large.id, case.large.price.name)},
    }


def _row(case: Case, reach: Reach) -> dict[str, Any]:
    """The large model on a row that there is: its verdict by the same rule, with the large model's own quality."""
    size, routed, counts = case.sizes[0], case.cascades["measured"][0], case.group.counts
    usd, seconds = per_decision(reach.usd(size), counts.large), reach.seconds(size)
    gap = difference(counts.large_only - routed.won, counts.small_only - routed.lost, counts.n)
    return {"usd_per_decision": usd, "seconds": seconds, "verdict": asdict(case.verdict(gap, usd, seconds))}


def _range(values: Sequence[float | None]) -> dict[str, float | None]:
    """The first value, and the least and most of all; no ends where one of them is not known."""
    known = [each for each in values if each is not None]
    whole = len(known) == len(values)
    return {"value": values[0], "low": min(known) if whole else None, "high": max(known) if whole else None}


@functools.cache
def hardness() -> Mapping[str, float]:
    """The concentrations that votes are reckoned with: all questions equally hard, and as one study's votes went."""
    return {"equally_hard": math.inf, "spread": concentration(*given.SELF_CONSISTENCY)}
