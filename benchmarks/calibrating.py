"""`crossover classifier calibrate`: the threshold for a stated quality, chosen on a team's own questions.

The threshold that sends most questions to the small model while the mean score of the answers to questions like these
is at least Q, with 95 % confidence. Thresholds are tried from "always large" on, a few more questions to the small
model each time, and the walk ends at the first whose one-sided lower bound is below Q: tested in an order that was
fixed before any score was seen, all of them together are wrong in at most 4.5 % of logs (fixed-sequence testing;
Angelopoulos et al., Learn then Test, arXiv 2110.01052). "Always small" is tested by itself first, at 0.5 %: it may be
enough where always large is not. The bound is the clustered t with two pseudo-items, one of score 0 and one of 1, which
is an approximation: where Q is 0.95 or more, the two are wrong in up to 6.0 % and 1.8 % of logs. Rows are clustered by
question and, where a group column is named, also by group: the lower of the two bounds counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.outcomes import Outcomes, need_questions, read, same
from benchmarks.quality.interval import clustered, effective_groups
from benchmarks.scenario import default_file, load
from benchmarks.systems import Legacy
from benchmarks.targets import builtin
from benchmarks.workloads import workload
from legacy_pipeline.classifier import Classifier, load_artefact, question
from legacy_pipeline.train import save
from shared.errors import BadInput
from shared.files import sha256_of

CONFIDENCE: Final = 0.95
ALWAYS_SMALL: Final = 0.005
"""Of the 5 % that may be wrong, what is spent on always small; the walk from always large on has the rest."""
STEPS: Final = 50
"""Shares of questions for the small model that are tried."""
LEAST: Final = 50
"""Different questions below which no threshold is chosen."""
LEAST_GROUPS: Final = 20
"""Groups, unequal ones counted as so many equal ones as weigh the same, below which the bound does not hold."""


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
    file, folder = _in_use(scenario)
    found = load_artefact(file)
    table, known = _unseen(read(log, prompt, {"small": small, "large": large}, group), folder)
    if known:
        print(f"{known:,} rows left out: the classifier was made on their questions")
    need_questions(table, f"{log}, without what the classifier was made on," if known else str(log), LEAST)
    clusterings = [table.same] if table.groups is None else [table.same, table.groups]
    for name, clustering in zip((prompt, group), clusterings, strict=False):
        if (count := effective_groups(clustering)) < LEAST_GROUPS:
            raise BadInput(
                f"{log}: by column {name!r} the rows count for {count:.1f} groups of equal size; {LEAST_GROUPS} are "
                "needed for a bound that holds"
            )
    classifier = Classifier(found)
    gains = [classifier.gain(("", text)) for text in table.prompts]
    chosen = choose(gains, table.scores["small"], table.scores["large"], *clusterings, quality=quality)
    if chosen.threshold is None:
        print(
            f"{quality:g} is out of reach: always {found.large.partition('@')[0]} scores {chosen.score:.4f}, and "
            f"{len(table):,} rows show no more than {chosen.at_least:.4f}; always {found.small.partition('@')[0]} does "
            "not show it either; ask for less, or give more questions. nothing was written"
        )
        return 1
    calibrated = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "log": log.name,
        "log_sha256": sha256_of(log),
        "questions": len(table),
        "left_out": known,
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
    gains: Sequence[float],
    small: Sequence[float],
    large: Sequence[float],
    *clusterings: Sequence[Hashable],
    quality: float,
) -> Chosen:
    """`gains` as predicted; scores in [0, 1]; each clustering names for every row what it is right or wrong with."""
    order = sorted(range(len(gains)), key=gains.__getitem__)
    least = _bound(small, clusterings, ALWAYS_SMALL)
    if least >= quality:
        return Chosen(_between(gains, order, len(order)), 1.0, sum(small) / len(small), least)
    best = Chosen(None, 0.0, sum(large) / len(large), _bound(large, clusterings))
    answers, done = list(large), 0
    for step in range(STEPS + 1):
        count = len(order) * step // STEPS
        if 0 < count < len(order) and gains[order[count - 1]] == gains[order[count]]:
            continue  # no threshold lies between equal gains
        for row in order[done:count]:
            answers[row] = small[row]
        done = count
        least = _bound(answers, clusterings)
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


def _bound(
    scores: Sequence[float],
    clusterings: Sequence[Sequence[Hashable]],
    wrong: float = 1 - CONFIDENCE - ALWAYS_SMALL,
) -> float:
    """One-sided lower bound of the mean score of further questions, in [0, 1]: the least over the clusterings."""
    from scipy.stats import t

    least = 1.0
    for groups in clusterings:
        clusters = [*groups, ("pseudo", 0), ("pseudo", 1)]
        mean, error = clustered([*scores, 0.0, 1.0], clusters)
        least = min(least, mean - float(t.ppf(1 - wrong, max(effective_groups(clusters) - 1, 1))) * error)
    return max(0.0, least)


def _unseen(table: Outcomes, folder: Path) -> tuple[Outcomes, int]:
    """The rows whose questions are in neither split that the classifier was made on, and how many others there were.

    On the others its predictions are too good.
    """
    made_on = workload.load(folder)
    items = [*made_on.split("train"), *made_on.split("validation")]
    known = {same(question(made_on.request(item))[1]) for item in items}
    rows = [row for row, text in enumerate(table.same) if text not in known]
    return table.only(rows), len(table) - len(rows)


def _in_use(scenario: Path | None) -> tuple[Path, Path]:
    """The artefact of the scenario, which `crossover compare` reads, and the workload it was made on.

    Raises `BadInput` where it is one of the built-in workload's, which belong to every scenario.
    """
    chosen = load(default_file(scenario))
    legacy = chosen.arms["legacy"]
    if not isinstance(legacy, Legacy):
        raise BadInput("the scenario's legacy arm has no classifier of ours; name another: --scenario FILE")
    small, large = (place.partition(":")[2].rpartition("#")[2] for place in (legacy.small, legacy.large))
    file = builtin.artefact_file(small, large, chosen.workload_folder)
    if file.parent == builtin.ARTEFACTS:
        raise BadInput(
            f"{file.name} belongs to the built-in workload and to all that use it, and is not written to; name your "
            "scenario, on a workload of your own: --scenario FILE"
        )
    return file, chosen.workload_folder
