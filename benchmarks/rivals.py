"""Routers to stand beside the classifier: what each takes for a question's need of the large model.

Only the order of their numbers counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from shared.backends.litellm import library

TIER: Final = 100.0
"""More than any score within a tier."""


def heuristic() -> Callable[[str], float]:
    """litellm's complexity router as it decides without a model: its tier, then its score within the tier.

    Raises whatever importing it raises: it is no public interface.
    """
    library()
    from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
    from litellm.router_strategy.complexity_router.config import TIER_SEVERITY_ORDER

    router = ComplexityRouter("complexity", None, derive_savings_baseline=False)

    def need(prompt: str) -> float:
        tier, score, _ = router.classify(prompt)
        return float(TIER_SEVERITY_ORDER.index(tier) * TIER + score)

    return need


def heuristic_v2() -> Callable[[str], float]:
    """litellm's second one: how unlikely it holds a model of the lowest tier to succeed."""
    library()
    from litellm.router_strategy.adaptive_router.classifier import classify_prompt
    from litellm.router_strategy.complexity_router.tier_predictor import TierSuccessPredictor, resolve_tier_artifact

    predictor = TierSuccessPredictor(resolve_tier_artifact("ultrafeedback"))
    return lambda prompt: -float(predictor.predict(prompt, classify_prompt(prompt)).probabilities[1])


def group_means(gains: Sequence[float], groups: Sequence[str], folds: Sequence[int]) -> list[float]:
    """The mean gain of each question's group in the other folds; the mean of all where the group is not there."""
    sums: dict[tuple[int, str], float] = defaultdict(float)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    total: dict[str, float] = defaultdict(float)
    number: dict[str, int] = defaultdict(int)
    for gain, group, fold in zip(gains, groups, folds, strict=True):
        sums[fold, group] += gain
        counts[fold, group] += 1
        total[group] += gain
        number[group] += 1
    overall = sum(gains) / len(gains)
    means = []
    for group, fold in zip(groups, folds, strict=True):
        left = number[group] - counts[fold, group]
        means.append((total[group] - sums[fold, group]) / left if left else overall)
    return means
