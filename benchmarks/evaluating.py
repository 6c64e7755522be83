"""`crossover classifier evaluate`: how well the classifier would route these questions, beside simpler routers.

The table is cut into folds by question, so that one question never sits in two; each fold is predicted by a classifier
trained on the others, through the same artefact and fast path that serve. What a fold's threshold and its bound for
abstaining are, is chosen on the predictions of the other folds.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import rivals
from benchmarks.evaluation_text import lines
from benchmarks.outcomes import Outcomes, need_difference, need_questions, read
from benchmarks.progress import Progress
from benchmarks.quality import routing
from benchmarks.targets.builtin import artefact_file
from legacy_pipeline.classifier import Classifier, load_artefact, novelty_bound
from legacy_pipeline.train import FOLDS, calibration_error, export, fit
from shared.errors import BadInput

ABSTAIN: Final = 0.05
"""Share of questions like the known ones that may abstain, in what abstaining costs."""
SEED: Final = 7
BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the table, as the command line names them."""

    prompt: str
    small: str
    large: str
    group: str | None = None
    direct: str | None = None
    small_again: str | None = None
    large_again: str | None = None


@dataclass(frozen=True, slots=True)
class _Predicted:
    """One entry a question: what the classifier that never saw it says."""

    gains: list[float]
    novelty: list[float]
    seconds: list[float]


def evaluate(file: Path, columns: Columns, folds: int, *, as_json: bool) -> int:
    """Print the figures as text or as JSON. Raises `BadInput` where the table does not allow them."""
    document = measure(file, columns, folds)
    print(json.dumps(document, indent=1) if as_json else "\n".join(lines(document)))
    return 0


def measure(file: Path, columns: Columns, folds: int) -> dict[str, Any]:
    """All figures, by router; a figure that was not measured is None."""
    if (columns.small_again is None) != (columns.large_again is None):
        raise BadInput("a second run of one model alone has no gain: give both --small-again and --large-again")
    if folds < 2:
        raise BadInput(f"--cv {folds}: two folds are needed at the least")
    roles = {"small": columns.small, "large": columns.large, "direct": columns.direct,
             "small_again": columns.small_again, "large_again": columns.large_again}  # fmt: skip
    table = read(file, columns.prompt, {role: name for role, name in roles.items() if name}, columns.group)
    need_questions(table, file, 4 * FOLDS * folds)
    need_difference(table, file)
    fold_of = assign(table.same, folds)
    predicted = _cross_validated(table, fold_of)
    small, large = table.scores["small"], table.scores["large"]
    routers = {"classifier": predicted.gains, **_rivals(table, fold_of)}
    known = {name: each for name, each in routers.items() if each is not None}
    figures, apart = routing.compare(known, small, large, table.same, fold_of)
    document: dict[str, Any] = {"table": _about(table, fold_of)}
    for name, gains in routers.items():
        if gains is None:
            document[name] = None
            continue
        document[name] = {
            **figures[name].document(),
            **_within(gains, table, fold_of),
            "classifier_is_above_by": apart.get(name),
        }
    document["label_noise_ceiling"] = _ceiling(table)
    document["classifier"] |= {
        **_calibration(predicted.gains, table),
        "ms_per_prompt_p50": float(np.quantile(predicted.seconds, 0.5)) * 1000,
        "ms_per_prompt_p99": float(np.quantile(predicted.seconds, 0.99)) * 1000,
    }
    document["direct"] = _direct(table, predicted.gains, fold_of)
    document["abstention"] = _abstention(table, predicted, fold_of)
    return document


def assign(same: Sequence[str], folds: int) -> list[int]:
    """A fold for each row: questions are dealt out in an order drawn with a fixed seed, equal ones together."""
    distinct = list(dict.fromkeys(same))
    order = np.random.default_rng(SEED).permutation(len(distinct))
    fold = {distinct[index]: place % folds for place, index in enumerate(order)}
    return [fold[each] for each in same]


def _gains(table: Outcomes, run: str = "") -> list[float]:
    pairs = zip(table.scores["small" + run], table.scores["large" + run], strict=True)
    return [after - before for before, after in pairs]


def _cross_validated(table: Outcomes, fold_of: Sequence[int]) -> _Predicted:
    """Each fold by a classifier trained on the others; times are one core's in the fast path, text in, number out."""
    found = _Predicted(*([0.0] * len(table) for _ in range(3)))
    folds = max(fold_of) + 1
    with Progress("training, steps", folds * (FOLDS + 1)) as progress:
        for fold in range(folds):
            rows = [row for row, each in enumerate(fold_of) if each != fold]
            fitted = fit(
                [("", table.prompts[row]) for row in rows],
                [table.scores["small"][row] for row in rows],
                [table.scores["large"][row] for row in rows],
                [table.same[row] for row in rows],
                progress.step,
            )
            classifier = Classifier(export(fitted, "small", "large"))
            for row, each in enumerate(fold_of):
                if each == fold:
                    begun = time.thread_time()
                    found.gains[row], found.novelty[row] = classifier.look(("", table.prompts[row]))
                    found.seconds[row] = time.thread_time() - begun
    return found


def _rivals(table: Outcomes, fold_of: Sequence[int]) -> dict[str, list[float] | None]:
    """The order that each other router would put the questions in; None where it was not measured."""
    gains, groups = _gains(table), table.groups
    again = _gains(table, "_again") if "small_again" in table.scores else None
    return {
        "random": [0.0] * len(table),
        "length": [float(len(prompt)) for prompt in table.prompts],
        "heuristic": _asked(rivals.heuristic, table.prompts),
        "heuristic_v2": _asked(rivals.heuristic_v2, table.prompts),
        "group_mean": None if groups is None else rivals.group_means(gains, groups, fold_of),
        "built_in_artefact": _built_in(table.prompts),
        "oracle": gains,
        "second_run": again,
    }


def _asked(make: Callable[[], Callable[[str], float]], prompts: Sequence[str]) -> list[float] | None:
    """litellm's routers are no public interface: whatever goes wrong in them, they were not measured."""
    try:
        need = make()
        return [need(prompt) for prompt in prompts]
    except Exception:
        return None


def _built_in(prompts: Sequence[str]) -> list[float] | None:
    """The artefact of the default preset, which never saw these models or tasks, as it comes."""
    try:
        classifier = Classifier(load_artefact(artefact_file("qwen-0.5b", "qwen-1.5b")))
    except BadInput:
        return None
    return [classifier.gain(("", prompt)) for prompt in prompts]


def _within(gains: Sequence[float], table: Outcomes, fold_of: Sequence[int]) -> dict[str, float | None]:
    found: routing.Figure = (None, None)
    if table.groups is not None:
        found = routing.within(
            gains, table.scores["small"], table.scores["large"], _cells(table.groups, fold_of), table.same
        )
    return _flat("within_group_apgr", found)


def _cells(groups: Sequence[str], fold_of: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(groups, fold_of, strict=True))


def _flat(name: str, figure: routing.Figure) -> dict[str, float | None]:
    point, ends = figure
    low, high = ends or (None, None)
    return {name: point, f"{name}_low": low, f"{name}_high": high}


def _ceiling(table: Outcomes) -> dict[str, float | None] | None:
    if "small_again" not in table.scores:
        return None
    return _flat("apgr", routing.ceiling(_gains(table), _gains(table, "_again"), table.same))


def _calibration(predicted: Sequence[float], table: Outcomes) -> dict[str, float | None]:
    """The calibration error, with its interval by the basic bootstrap (Davison, Hinkley 1997): 2 * error - percentile.

    A mean of absolute distances is above the truth, the more so the fewer the rows, and a resample's is by as much
    again above the table's: so the percentiles are turned about the table's error. The ends are not below 0, and they
    hold the error itself.
    """
    gains = _gains(table)
    error = calibration_error(predicted, gains, BINS)
    bins = np.zeros(len(gains), dtype=np.intp)
    bins[np.argsort(predicted, kind="stable")] = np.arange(len(gains)) * BINS // len(gains)
    apart = np.array(predicted) - np.array(gains)
    _, ends = routing.bounded(
        lambda weights: float(np.abs(np.bincount(bins, weights * apart)).sum() / weights.sum()), table.same
    )
    turned = None if ends is None else (min(error, max(0.0, 2 * error - ends[1])), max(error, 2 * error - ends[0]))
    return _flat("calibration_error", (error, turned))


def _about(table: Outcomes, fold_of: Sequence[int]) -> dict[str, Any]:
    small, large = (float(np.mean(table.scores[role])) for role in ("small", "large"))
    return {
        "rows": len(table),
        "questions": len(set(table.same)),
        "groups": None if table.groups is None else len(set(table.groups)),
        "folds": max(fold_of) + 1,
        "small": small,
        "large": large,
        "integration": "trapezoid over every question, equal predictions in one straight piece",
        "intervals": f"95 %, percentiles of {routing.RESAMPLES} paired resamples of whole questions",
        "within_group": "every group, in every fold, sends the same share of its own questions to the large model",
        "smallest_cell": None if table.groups is None else min(Counter(_cells(table.groups, fold_of)).values()),
    }


def _direct(table: Outcomes, gains: Sequence[float], fold_of: Sequence[int]) -> dict[str, float | None] | None:
    """The single direct model: its score, what share of the large model's advantage that is, and the share of calls to
    the large model at which the classifier first scores as much. Shares are None where the large model is not clearly
    better, and the second one where no share reaches it."""
    if "direct" not in table.scores:
        return None
    small, large, direct = (np.array(table.scores[role]) for role in ("small", "large", "direct"))

    def recovered(weights: routing.Vector) -> float:
        better = float(weights @ (large - small))
        return float(weights @ (direct - small)) / better if better > 1e-12 else np.nan

    part = routing.bounded(recovered, table.same)
    share: routing.Figure = (None, None)
    if part[0] is not None:
        share = routing.share_for(recovered, gains, _gains(table), table.same, fold_of)
    score = routing.bounded(lambda weights: float(weights @ direct / weights.sum()), table.same)
    return _flat("score", score) | _flat("recovered", part) | _flat("classifier_needs_large_share", share)


def _abstention(table: Outcomes, predicted: _Predicted, fold_of: Sequence[int]) -> dict[str, float]:
    """What abstaining would do, at half of the calls to the large model. Bound and threshold: from the other folds."""
    folds, novelty, gains = np.array(fold_of), np.array(predicted.novelty), np.array(predicted.gains)
    strange, hard = np.zeros(len(folds), dtype=bool), np.zeros(len(folds), dtype=bool)
    for fold in range(max(fold_of) + 1):
        here, others = folds == fold, folds != fold
        strange[here] = novelty[here] > novelty_bound(tuple(np.sort(novelty[others])), ABSTAIN)
        hard[here] = gains[here] > np.median(gains[others])
    small, true = np.array(table.scores["small"]), np.array(_gains(table))
    return {
        "allowed_share": ABSTAIN,
        "abstained_share": float(strange.mean()),
        "large_share": float(hard.mean()),
        "large_share_abstaining": float((hard | strange).mean()),
        "score": float((small + true * hard).mean()),
        "score_abstaining": float((small + true * (hard | strange)).mean()),
    }
