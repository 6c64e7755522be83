"""A judge's opinion on every differing pair, corrected by what people said of a random sample of them.

Mean of the judgments over all pairs plus the mean of (label - judgment) over the labelled ones: unbiased however biased
the judge is, and narrow where it is right (Angelopoulos et al., Prediction-powered inference, Science 382, 2023). The
variance is that of `stratified`. A pair without a verdict counts as judged 0 there: any figure made without the labels
does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from benchmarks.quality.stratified import Estimate, Frame, estimate


def corrected(
    frame: Frame,
    labels: Mapping[int, float],
    judged: Mapping[int, float],
    *,
    margin: float,
    skipped: Collection[int] = (),
) -> Estimate:
    """Labels and judgments are d in [-1, 1] by the pair's place. The judge must have been asked about every pair."""
    predictions = [judged.get(place, 0.0) for place in range(len(frame.pairs))]
    return estimate(frame, labels, margin=margin, skipped=skipped, predictions=predictions)


def alone(frame: Frame, judged: Mapping[int, float]) -> float | None:
    """What the judge by itself would say; None unless every pair has a verdict.

    It has no interval: how biased the judge is, it cannot tell.
    """
    if len(judged) < len(frame.pairs):
        return None
    return sum(frame.pairs[place].share * value for place, value in judged.items()) / frame.questions
