"""Make the classifier's artefact again from recorded outcomes: can the small model answer this as well as the large?

Ridge regression on the gain (large score less small score) over TF-IDF and a few counts. The ridge strength is chosen
and the output calibrated on folds of the training split, groups kept whole; the threshold on the validation split. The
test split is never seen. scikit-learn does all the fitting; `classifier.py` reads what it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legacy_pipeline.classifier import SCHEMA, Artefact, question, surface, tokens, weights_id
from shared.contract import Identity, Request
from shared.errors import BadInput
from shared.files import replacing

FOLDS = 5
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recorded question: the score in [0, 1] of each model, and the group it must not be parted from."""

    request: Request
    small: float
    large: float
    group: str


def estimator(strength: float) -> Any:
    """The scikit-learn pipeline from a (task, text) pair to the expected gain."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    words = TfidfVectorizer(analyzer=tokens, min_df=2)
    counts = Pipeline([("count", FunctionTransformer(_surfaces)), ("scale", StandardScaler())])
    return Pipeline(
        [("features", FeatureUnion([("words", words), ("counts", counts)])), ("ridge", Ridge(alpha=strength))]
    )


def train(
    training: Sequence[Outcome],
    validation: Sequence[Outcome],
    *,
    small: Identity,
    large: Identity,
    quality_loss: float = 0.02,
    made: dict[str, Any] | None = None,
) -> Artefact:
    """`quality_loss` is the target: the most mean score, on validation, that routing may lose against always large.

    Raises `BadInput` where there is too little to learn from.
    """
    import numpy as np
    import sklearn
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    groups = [each.group for each in training]
    if len(set(groups)) < 2 * FOLDS or not validation:
        raise BadInput(f"{len(set(groups))} groups to train on and {len(validation)} questions to validate on: too few")
    asked = [question(each.request) for each in training]
    gains = np.array([each.large - each.small for each in training])
    folds = GroupKFold(FOLDS)

    def held_out(strength: float) -> Any:
        return cross_val_predict(estimator(strength), asked, gains, groups=groups, cv=folds)

    strength = min(STRENGTHS, key=lambda each: float(np.mean((held_out(each) - gains) ** 2)))
    line = LinearRegression().fit(held_out(strength).reshape(-1, 1), gains)
    slope, shift = max(0.0, float(line.coef_[0])), float(line.intercept_)
    if slope == 0.0:
        shift = float(gains.mean())
    fitted = estimator(strength).fit(asked, gains)
    predicted = slope * fitted.predict([question(each.request) for each in validation]) + shift
    threshold, small_share, loss = choose_threshold(list(map(float, predicted)), validation, quality_loss)
    artefact = _export(fitted, slope, shift, threshold, weights_id(small), weights_id(large))
    gained = [each.large - each.small for each in validation]
    return artefact.model_copy(
        update={
            "made": {
                **(made or {}),
                "scikit-learn": sklearn.__version__,
                "trained_on": len(training),
                "validated_on": len(validation),
                "ridge": strength,
                "calibration_slope": slope,
                "calibration_shift": shift,
                "quality_loss_target": quality_loss,
                "validation_quality_loss": loss,
                "validation_small_share": small_share,
                "validation_mean_gain": float(np.mean(gained)),
                "validation_calibration_error": calibration_error(list(map(float, predicted)), gained),
            }
        }
    )


def choose_threshold(
    predicted: Sequence[float], outcomes: Sequence[Outcome], quality_loss: float
) -> tuple[float, float, float]:
    """The threshold on the gain that sends most questions to the small model within the loss allowed.

    Returns threshold, share sent to the small model, and mean score lost against always large. Questions go to the
    small model in the order of their predicted gain; the threshold lies halfway to the next one.
    """
    order = sorted(range(len(predicted)), key=predicted.__getitem__)
    best, lost = 0, 0.0
    best_lost = 0.0
    for rank, index in enumerate(order, start=1):
        lost += (outcomes[index].large - outcomes[index].small) / len(order)
        tied = rank < len(order) and predicted[order[rank]] == predicted[index]
        if lost <= quality_loss and not tied:
            best, best_lost = rank, lost
    if best == 0:
        return predicted[order[0]] - 1.0, 0.0, 0.0
    if best == len(order):
        return predicted[order[-1]] + 1.0, 1.0, best_lost
    return (predicted[order[best - 1]] + predicted[order[best]]) / 2, best / len(order), best_lost


def calibration_error(predicted: Sequence[float], gains: Sequence[float], bins: int = 5) -> float:
    """Expected calibration error: mean over equally filled bins of |mean predicted - mean true gain|."""
    order = sorted(range(len(predicted)), key=predicted.__getitem__)
    error = 0.0
    for part in range(bins):
        rows = order[len(order) * part // bins : len(order) * (part + 1) // bins]
        error += abs(sum(predicted[row] - gains[row] for row in rows)) / len(order)
    return error


def save(artefact: Artefact, path: Path) -> None:
    """Write the artefact as JSON: to a temporary file, then renamed."""
    with replacing(path) as file:
        file.write((json.dumps(artefact.model_dump(), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def _surfaces(asked: Sequence[tuple[str, str]]) -> list[tuple[float, ...]]:
    return [surface(each) for each in asked]


def _export(fitted: Any, slope: float, shift: float, threshold: float, small: str, large: str) -> Artefact:
    """Fold scaling and calibration into the weights: gain = slope * (w.tfidf + c.(counts - mean)/scale + b) + shift."""
    words, counts = (part for _, part in fitted.named_steps["features"].transformer_list)
    scale, ridge = counts.named_steps["scale"], fitted.named_steps["ridge"]
    coefficients = list(map(float, ridge.coef_))
    vocabulary = {
        token: (float(words.idf_[index]), slope * coefficients[index])
        for token, index in sorted(words.vocabulary_.items())
    }
    scales = zip(coefficients[len(vocabulary) :], scale.scale_, strict=True)
    per_count = [slope * coefficient / float(size) for coefficient, size in scales]
    centre = sum(each * float(mean) for each, mean in zip(per_count, scale.mean_, strict=True))
    return Artefact(
        schema_name=SCHEMA,
        small=small,
        large=large,
        weights=vocabulary,
        surface_weights=tuple(per_count),
        intercept=slope * float(ridge.intercept_) + shift - centre,
        threshold=threshold,
        made={},
    )
