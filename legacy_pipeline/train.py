"""Make the classifier's artefact again from recorded outcomes: can the small model answer this as well as the large?

Ridge regression on the gain (large score less small score) over words, counts and topics. The ridge strength is chosen
and the output calibrated on folds of the training split, groups kept whole; the threshold, and what counts as unlike
anything seen, on the validation split. The test split is never seen. scikit-learn does all the fitting; `classifier.py`
reads what it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from legacy_pipeline.classifier import CLIP, SCHEMA, Artefact, Classifier, Waves, question, weights_id
from legacy_pipeline.features import Asked, read
from shared.contract import Identity, Request
from shared.errors import BadInput
from shared.files import replacing

FOLDS: Final = 5
STRENGTHS: Final = (3.0, 10.0, 30.0)
TOPIC_WEIGHTS: Final = (0.1, 0.55)
"""How much the topics count beside words and counts; one subject throughout leaves them little to say."""
LEAST_SLOPE: Final = 0.1
TOPICS: Final = 40
TOPIC_WAVES: Final = (1.0, 200)
"""Width of the kernel (gamma) and number of waves. docs/classifier.md says what each block is worth."""
SURFACE_WAVES: Final = (0.01, 300)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recorded question: the score in [0, 1] of each model, and the group it must not be parted from."""

    request: Request
    small: float
    large: float
    group: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted pipeline whose output is stretched and shifted to be a gain; the ridge's strength, topics' weight."""

    pipeline: Any
    strength: float
    topic_weight: float
    slope: float
    shift: float


def features(topic_weight: float = 1.0) -> Any:
    """The scikit-learn transformer from questions that were read to the blocks of the regression's columns."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    from legacy_pipeline import blocks

    counts = [
        ("count", FunctionTransformer(blocks.surfaces)),
        ("scale", StandardScaler()),
        ("clip", FunctionTransformer(_clip)),
        ("waves", blocks.Waves(*SURFACE_WAVES)),
    ]
    topics = [
        ("words", TfidfVectorizer(analyzer=blocks.words, min_df=2, sublinear_tf=True)),
        ("place", blocks.Topics(TOPICS)),
        ("waves", blocks.Waves(*TOPIC_WAVES)),
    ]
    tokens = TfidfVectorizer(analyzer=blocks.tokens, min_df=2, sublinear_tf=True)
    return FeatureUnion(
        [("tokens", tokens), ("topics", Pipeline(topics)), ("surface", Pipeline(counts))],
        transformer_weights={"topics": topic_weight},
    )


def ridge(strength: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=strength, solver="sparse_cg", tol=1e-5)


def fit(
    asked: Sequence[Asked],
    small: Sequence[float],
    large: Sequence[float],
    groups: Sequence[Hashable],
    done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Fit the pipeline on all, and the line that calibrates it on folds that keep groups whole.

    The ridge strength and the topics' weight are those that predict the two models' scores best on the folds, each by
    itself: their difference, which is what the pipeline then predicts, is mostly noise. `done` is called once a fold
    and once at the end.

    Raises `BadInput` where there is too little to learn from.
    """
    import numpy as np
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import Pipeline

    if len(set(groups)) < 2 * FOLDS:
        raise BadInput(f"{len(set(groups))} groups of questions to train on: too few, {2 * FOLDS} are needed")
    rows, scores = list(map(read, asked)), np.array([small, large], dtype=np.float64).T
    choices = [(weight, strength) for weight in TOPIC_WEIGHTS for strength in STRENGTHS]
    held_out = np.zeros((len(choices), *scores.shape))
    try:
        for train_on, judge_on in GroupKFold(FOLDS).split(rows, groups=_codes(groups)):
            block = features()
            seen = block.fit_transform([rows[index] for index in train_on])
            unseen = block.transform([rows[index] for index in judge_on])
            for place, (weight, strength) in enumerate(choices):
                scale = _weighted(seen.shape[1], weight)
                found = ridge(strength).fit(seen @ scale, scores[train_on])
                held_out[place, judge_on] = found.predict(unseen @ scale)
            done()
        best = int(np.argmin(((held_out - scores) ** 2).sum(axis=(1, 2))))
        weight, strength = choices[best]
        pipeline = Pipeline([("features", features(weight)), ("ridge", ridge(strength))])
        pipeline.fit(rows, scores[:, 1] - scores[:, 0])
    except ValueError as error:  # scikit-learn's: no word is left
        raise BadInput(f"the questions hold too little text to learn from ({error})") from None
    done()
    return Fitted(pipeline, strength, weight, *_line(held_out[best, :, 1] - held_out[best, :, 0], *scores.T))


def _weighted(columns: int, topic_weight: float) -> Any:
    """A diagonal matrix that gives the topics' columns their weight."""
    from scipy.sparse import diags

    topics, counts = TOPIC_WAVES[1], SURFACE_WAVES[1]
    return diags([1.0] * (columns - topics - counts) + [topic_weight] * topics + [1.0] * counts, format="csr")


def _line(predicted: Any, small: Any, large: Any) -> tuple[float, float]:
    """Slope and shift that make a gain of what was predicted on folds; an order that they do not bear out counts for
    little, but it is kept."""
    centred, gains = predicted - predicted.mean(), large - small
    square = float(centred @ centred)
    slope = max(LEAST_SLOPE, float(centred @ gains) / square) if square else 1.0
    return slope, float(gains.mean() - slope * predicted.mean())


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

    if not validation:
        raise BadInput("no questions to validate on: too few")
    asked = [question(each.request) for each in training]
    scores = [each.small for each in training], [each.large for each in training]
    fitted = fit(asked, *scores, [each.group for each in training])
    artefact = export(fitted, weights_id(small), weights_id(large))
    classifier = Classifier(artefact)
    answers = [classifier.look(question(each.request)) for each in validation]
    predicted = [gain for gain, _ in answers]
    threshold, small_share, loss = choose_threshold(predicted, validation, quality_loss)
    gained = [each.large - each.small for each in validation]
    return artefact.model_copy(
        update={
            "threshold": threshold,
            "novelty": tuple(sorted(novelty for _, novelty in answers)),
            "made": {
                **(made or {}),
                "scikit-learn": sklearn.__version__,
                "trained_on": len(training),
                "validated_on": len(validation),
                "ridge": fitted.strength,
                "topic_weight": fitted.topic_weight,
                "calibration_slope": fitted.slope,
                "calibration_shift": fitted.shift,
                "quality_loss_target": quality_loss,
                "validation_quality_loss": loss,
                "validation_small_share": small_share,
                "validation_mean_gain": float(np.mean(gained)),
                "validation_calibration_error": calibration_error(predicted, gained),
            },
        }
    )


def choose_threshold(
    predicted: Sequence[float], outcomes: Sequence[Outcome], quality_loss: float
) -> tuple[float, float, float]:
    """The threshold on the gain that sends most questions to the small model within the loss allowed.

    Returns threshold, share sent to the small model, and mean score lost against always large. Questions go to the
    small model in the order of their predicted gain; the threshold lies halfway to the next one, or on the last that
    goes where no number lies between the two.
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
    last, following = predicted[order[best - 1]], predicted[order[best]]
    halfway = (last + following) / 2
    return halfway if halfway < following else last, best / len(order), best_lost


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
    fields = [
        f"{json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for name, each in artefact.model_dump().items()
    ]
    with replacing(path) as file:
        file.write(("{\n" + ",\n".join(fields) + "\n}\n").encode())


def export(fitted: Fitted, small: str, large: str) -> Artefact:
    """Fold all scaling into the weights. The threshold, and what is novel, are still to be set."""
    union, line = (fitted.pipeline.named_steps[name] for name in ("features", "ridge"))
    tokens, topics, surface = (part for _, part in union.transformer_list)
    coefficients = [fitted.slope * float(each) for each in line.coef_]
    vocabulary = sorted(tokens.vocabulary_.items())
    topic, scale = topics.named_steps["waves"], surface.named_steps["scale"]
    places, words = topics.named_steps["place"].places_, topics.named_steps["words"].vocabulary_
    first, second = len(vocabulary), len(vocabulary) + topic.count
    return Artefact(
        schema_name=SCHEMA,
        small=small,
        large=large,
        weights={token: (float(tokens.idf_[index]), coefficients[index]) for token, index in vocabulary},
        topics={word: tuple(map(int, places[index])) for word, index in sorted(words.items())},
        topic_waves=_waves(topic, [fitted.topic_weight * each for each in coefficients[first:second]]),
        surface_mean=tuple(map(float, scale.mean_)),
        surface_scale=tuple(map(float, scale.scale_)),
        surface_waves=_waves(surface.named_steps["waves"], coefficients[second:]),
        intercept=fitted.slope * float(line.intercept_) + fitted.shift,
        threshold=0.0,
        novelty=(),
        made={},
    )


def _waves(block: Any, coefficients: Sequence[float]) -> Waves:
    return Waves(
        frequencies=tuple(tuple(map(float, row)) for row in block.frequencies_),
        phases=tuple(map(float, block.phases_)),
        weights=tuple(coefficient * (2 / block.count) ** 0.5 for coefficient in coefficients),
    )


def _clip(points: Any) -> Any:
    return points.clip(-CLIP, CLIP)


def _codes(groups: Sequence[Hashable]) -> list[int]:
    known: dict[Hashable, int] = {}
    return [known.setdefault(group, len(known)) for group in groups]
