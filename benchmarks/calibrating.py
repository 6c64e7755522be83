"""`crossover classifier calibrate`: the threshold for a stated quality, chosen on a team's own questions.

The threshold that sends most questions to the small model while the mean score of the answers to questions like these
is at least Q, with 95 % confidence. Thresholds are tried from "always large" on, a few more questions to the small
model each time, and the walk ends at the first whose one-sided lower bound is below Q: tested in an order that was
fixed before any score was seen, all of them together are wrong in at most 5 % of logs (fixed-sequence testing;
Angelopoulos et al., Learn then Test, arXiv 2110.01052). The bound is the clustered t with two pseudo-items, one of
score 0 and one of 1.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.outcomes import need_difference, read
from benchmarks.quality.interval import clustered, effective_groups
from benchmarks.scenario import Legacy, default_file, load
from benchmarks.targets.builtin import artefact_file
from legacy_pipeline.classifier import Classifier, load_artefact
from legacy_pipeline.train import save
from shared.errors import BadInput
from shared.files import sha256_of

CONFIDENCE: Final = 0.95
STEPS: Final = 50
"""Shares of questions for the small model that are tried."""
LEAST: Final = 50
"""Different questions below which no threshold is chosen."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold on the gain, the share of questions it sends to the small model, the mean score of the answers and
    its lower bound. `threshold` is None where not even always large is shown to score enough."""

    threshold: float | None
    small_share: float
    score: float
    at_least: float


def calibrate(
    log: Path, quality: float, *, prompt: str, small: str, large: str, group: str | None, scenario: Path | None
) -> int:
    """Choose the threshold, write it into the artefact, say what came of it; 1 where the quality is out of reach."""
    if not 0 < quality < 1:
        raise BadInput(f"--quality {quality:g}: the mean score to keep must lie between 0 and 1")
    file = _in_use(scenario)
    found = load_artefact(file)
    table = read(log, prompt, {"small": small, "large": large}, group)
    need_difference(table, log, LEAST)
    classifier = Classifier(found)
    gains = [classifier.gain(("", text)) for text in table.prompts]
    chosen = choose(gains, table.scores["small"], table.scores["large"], table.groups or table.same, quality)
    if chosen.threshold is None:
        print(
            f"{quality:g} is out of reach: always {found.large.partition('@')[0]} scores {chosen.score:.4f}, and "
            f"{len(table):,} questions show no more than {chosen.at_least:.4f}; ask for less, or give more questions. "
            "nothing was written"
        )
        return 1
    calibrated = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "log": log.name,
        "log_sha256": sha256_of(log),
        "questions": len(table),
        "quality": quality,
        "confidence": CONFIDENCE,
        "score": chosen.score,
        "score_at_least": chosen.at_least,
        "small_share": chosen.small_share,
    }
    update = {"threshold": chosen.threshold, "made": {**found.made, "calibrated": calibrated}}
    save(found.model_copy(update=update), file)
    print(
        f"{chosen.small_share:.1%} of {len(table):,} questions go to {found.small.partition('@')[0]}: mean score "
        f"{chosen.score:.4f}, on questions like these at least {chosen.at_least:.4f} with {CONFIDENCE:.0%} confidence "
        f"(asked for: {quality:g}); threshold {chosen.threshold:.4f}\nwritten: {file}"
    )
    return 0


def choose(
    gains: Sequence[float], small: Sequence[float], large: Sequence[float], groups: Sequence[Hashable], quality: float
) -> Chosen:
    """`gains` as predicted; scores in [0, 1]; groups of questions that are right or wrong together."""
    order = sorted(range(len(gains)), key=gains.__getitem__)
    best = Chosen(None, 0.0, sum(large) / len(large), _bound(large, groups))
    answers, done = list(large), 0
    for step in range(STEPS + 1):
        count = len(order) * step // STEPS
        if 0 < count < len(order) and gains[order[count - 1]] == gains[order[count]]:
            continue  # no threshold lies between equal gains
        for row in order[done:count]:
            answers[row] = small[row]
        done = count
        least = _bound(answers, groups)
        if least < quality:
            break
        best = Chosen(_between(gains, order, count), count / len(order), sum(answers) / len(answers), least)
    return best


def _between(gains: Sequence[float], order: Sequence[int], count: int) -> float:
    """A threshold above the gains of the first `count` questions only."""
    if count == 0:
        return gains[order[0]] - 1.0
    if count == len(order):
        return gains[order[-1]] + 1.0
    return (gains[order[count - 1]] + gains[order[count]]) / 2


def _bound(scores: Sequence[float], groups: Sequence[Hashable]) -> float:
    """One-sided lower bound of the mean score of further questions, in [0, 1]."""
    from scipy.stats import t

    clusters = [*groups, ("pseudo", 0), ("pseudo", 1)]
    mean, error = clustered([*scores, 0.0, 1.0], clusters)
    return max(0.0, mean - float(t.ppf(CONFIDENCE, max(effective_groups(clusters) - 1, 1))) * error)


def _in_use(scenario: Path | None) -> Path:
    """The artefact of the scenario, which `crossover compare` reads: the one named, or what it would run here."""
    chosen = load(default_file(scenario))
    legacy = chosen.arms["legacy"]
    if not isinstance(legacy, Legacy):
        raise BadInput("the scenario's legacy arm has no classifier of ours; name another: --scenario FILE")
    small, large = (place.partition(":")[2].rpartition("#")[2] for place in (legacy.small, legacy.large))
    return artefact_file(small, large, chosen.workload_folder)
