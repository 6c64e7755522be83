"""Which component makes the difference between the two systems, request by request, adding up exactly.

    direct - legacy = (no cache - legacy) + (always large - no cache) + (direct - always large)
                    =     cache effect    +     routing effect        +     backend effect

The three middle scores are those of real answers (`targets/counterfactual.py`), so the parts add up for each request,
not only on average. The effects depend on the order in which the components are taken away: the other order, router
first, stands beside it. A positive effect is what direct gains, or legacy loses, by that component.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from benchmarks.quality import max_t
from benchmarks.rows import HITS, Row

Name = Literal["no_cache", "always_large", "large_with_cache"]
NAMES: Final[tuple[Name, ...]] = ("no_cache", "always_large", "large_with_cache")
KINDS: Final = ("stale_hit", "false_hit", "misroute", "lucky_route", "backend_loss", "backend_gain")
WORST: Final = 10
UNASKED: Final = "legacy is of kind {}: its models cannot be asked otherwise"
"""Why another system than the built-in one is not attributed."""
EQUAL: Final = 1e-9
"""Scores closer than this are the same score."""
Kinds = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """The effects of one request on direct - legacy, each in [-1, 1], and what kind each is of."""

    cache: float
    routing: float
    backend: float
    router_first: tuple[float, float]
    """Routing, then cache, in the other order."""
    kinds: Kinds
    """Of the cache effect ("" where there was no hit), the routing effect (likewise) and the backend effect."""


def measure(
    legacy: Sequence[Row],
    direct: Sequence[Row],
    counterfactuals: Mapping[Name, Sequence[Row]],
    *,
    reason: str = "",
    same_model: bool = False,
) -> dict[str, Any] | None:
    """The effects on the mean of direct - legacy over all requests scored in both arms; None where there is none.

    A request without all three counterfactual answers is unattributed, for `reason`: it is part of no effect, and what
    it adds to the difference is `unattributed_points`, so that the sum still holds. Then there are no intervals, and no
    effects either where none is attributed. Else the intervals hold jointly for the effects and the total, 95 %: over
    questions, each with all its requests, for this traffic, since an answer drawn once is served to the repeats; over
    groups of questions for `questions_like_these`. `same_model`: direct's model is legacy's large one.
    """
    if any(row.text_missing for row in (*legacy, *direct)):
        return None
    after = {row.asked.number: row.score.value for row in direct if row.score}
    both = [row for row in legacy if row.score and row.asked.number in after]
    if not both:
        return None
    parts = _parts(both, after, counterfactuals)
    differences = [after[row.asked.number] - row.score.value for row in both if row.score]
    effects = {
        "cache": [part.cache if part else 0.0 for part in parts],
        "routing": [part.routing if part else 0.0 for part in parts],
        "backend": [part.backend if part else 0.0 for part in parts],
        "unattributed_points": [0.0 if part else each for part, each in zip(parts, differences, strict=True)],
        "total": differences,
    }
    lost = parts.count(None)
    none = lost == len(parts)
    other = [None if none else sum(part.router_first[n] for part in parts if part) / len(parts) for n in (0, 1)]
    means = _means(effects, [row.asked.item.id for row in both], lost, none=none)
    return {
        **means,
        "questions_like_these": _by_item(both, effects, lost, none=none),
        "router_first": {"routing": other[0], "cache": other[1], "backend": means["backend"]},
        "cache_parts": _split(parts, 0, ("stale_hit", "false_hit", "harmless_hit"), effects["cache"]),
        "routing_parts": _split(parts, 1, ("misroute", "lucky_route", "unavoidable"), effects["routing"]),
        "requests": len(both),
        "unattributed": lost,
        "reason": reason if lost else "",
        "same_model": same_model,
        "worst": _worst(both, parts),
    }


def kinds_of(effects: tuple[float, float, float], *, hit: str, small: bool) -> Kinds:
    """`hit` is the kind of step that found the answer, one of `HITS`, or ""; `small`: the small model answers where the
    cache does not; `effects` are those of cache, routing and backend.

    An exact hit that scores otherwise than a fresh answer is called stale: within one run, which nothing changes, it is
    one on another model's answer, such as the large one's for a small one that failed. One on a similar question is
    false.
    """
    cache, routing, backend = (0 if abs(effect) <= EQUAL else effect for effect in effects)
    found = ("false_hit" if hit == "similar" else "stale_hit") if cache else "harmless_hit"
    routed = "misroute" if routing > 0 else "lucky_route" if routing else "unavoidable"
    between = "backend_gain" if backend > 0 else "backend_loss" if backend else ""
    return found if hit else "", routed if small else "", between


def small_answered(row: Row) -> bool:
    """Whether the small model gave the answer."""
    return row.error is None and any(step.kind == "small" and step.outcome == "ok" for step in row.steps or ())


def _parts(
    rows: Sequence[Row], after: Mapping[int, float], counterfactuals: Mapping[Name, Sequence[Row]]
) -> list[Parts | None]:
    found = {name: {row.asked.number: row for row in each if row.score} for name, each in counterfactuals.items()}
    parts: list[Parts | None] = []
    for row in rows:
        number = row.asked.number
        others = [found[name].get(number) for name in NAMES]
        scores = [each.score.value for each in (row, *others) if each and each.score]
        if len(scores) < 1 + len(NAMES):
            parts.append(None)
            continue
        legacy, no_cache, large, cached = scores
        effects = no_cache - legacy, large - no_cache, after[number] - large
        hit = next((step.kind for step in row.steps or () if step.kind in HITS and step.outcome == "ok"), "")
        kinds = kinds_of(effects, hit=hit, small=bool(others[0] and small_answered(others[0])))
        parts.append(Parts(*effects, (cached - legacy, large - cached), kinds))
    return parts


def _means(
    effects: Mapping[str, Sequence[float]], groups: Sequence[Hashable], lost: int, *, none: bool
) -> dict[str, Any]:
    """Means of the effects and their joint intervals, which one group alone cannot have, nor effects with gaps."""
    means: dict[str, float | None] = {
        name: sum(values) / len(values) for name, values in effects.items() if name != "total"
    }
    named = {name: effects[name] for name in ("cache", "routing", "backend", "total")}
    if none:
        means |= dict.fromkeys(("cache", "routing", "backend"))
    if lost or len(set(groups)) < 2:
        return {**means, "intervals": {name: {"low": None, "high": None} for name in named}}
    joint = max_t.intervals(named, groups)
    return {**means, "intervals": {name: {"low": low, "high": high} for name, (low, high) in joint.items()}}


def _by_item(rows: Sequence[Row], effects: Mapping[str, Sequence[float]], lost: int, *, none: bool) -> dict[str, Any]:
    """The same with each question counted once, by its mean over the times it was asked."""
    groups = {row.asked.item.id: row.asked.item.group for row in rows}
    times = Counter(row.asked.item.id for row in rows)
    of_items: dict[str, list[float]] = {}
    for name, values in effects.items():
        sums = dict.fromkeys(groups, 0.0)
        for row, value in zip(rows, values, strict=True):
            sums[row.asked.item.id] += value
        of_items[name] = [total / times[item] for item, total in sums.items()]
    return _means(of_items, list(groups.values()), lost, none=none)


def _split(
    parts: Sequence[Parts | None], which: int, names: Sequence[str], values: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """How many requests are of each kind, and what they add to the effect; the kinds add up to it."""
    kinds = [part.kinds[which] if part else "" for part in parts]
    return {
        name: {
            "requests": kinds.count(name),
            "effect": sum(value for kind, value in zip(kinds, values, strict=True) if kind == name) / len(values)
            if any(parts)
            else None,
        }
        for name in names
    }


def _worst(rows: Sequence[Row], parts: Sequence[Parts | None]) -> dict[str, list[int]]:
    """The questions that add most to each kind, over all times they were asked: of each its first such request."""
    worst: dict[str, list[int]] = {}
    for kind in KINDS:
        first, sums = dict[str, int](), dict[str, float]()
        for row, part in zip(rows, parts, strict=True):
            if part and kind in part.kinds:
                item, effects = row.asked.item.id, (part.cache, part.routing, part.backend)
                first.setdefault(item, row.asked.number)
                sums[item] = sums.get(item, 0.0) + abs(effects[part.kinds.index(kind)])
        worst[kind] = [first[item] for item in sorted(first, key=lambda item: -sums[item])[:WORST]]
    return worst
