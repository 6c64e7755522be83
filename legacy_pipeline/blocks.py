"""The parts of the classifier's scikit-learn pipeline that scikit-learn does not have. Imported by `train.py` alone.

They round what they learn, so that the JSON artefact holds exactly what was fitted on, in few digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD

from legacy_pipeline.features import Features

SEED: Final = 7
PLACES: Final = 999
"""The largest coordinate of a word in the space of topics; they are whole numbers."""


def surfaces(asked: Sequence[Features]) -> Any:
    return np.array([each.surface for each in asked], dtype=np.float64).reshape(len(asked), -1)


def tokens(asked: Features) -> list[str]:
    return asked.tokens()


def words(asked: Features) -> list[str]:
    return asked.words


class Waves(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """cos(x . frequency + phase), `count` of them, over `sqrt(count / 2)`: inner products near the Gaussian kernel
    exp(-gamma * |x - y|^2). Rahimi and Recht (2007)."""

    def __init__(self, gamma: float, count: int) -> None:
        self.gamma, self.count = gamma, count

    def fit(self, points: Any, _: Any = None) -> Self:
        rng = np.random.default_rng(SEED)
        drawn = rng.normal(scale=math.sqrt(2 * self.gamma), size=(points.shape[1], self.count))
        self.frequencies_ = np.round(drawn, 3)
        self.phases_ = np.round(rng.uniform(0, 2 * np.pi, self.count), 3)
        return self

    def transform(self, points: Any) -> Any:
        return np.cos(points @ self.frequencies_ + self.phases_) * math.sqrt(2 / self.count)


class Topics(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Latent semantic analysis: the first `count` singular directions of TF-IDF, then unit length.

    Deerwester et al., JASIS 41 (1990). Fewer where there are fewer words.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def fit(self, texts: Any, _: Any = None) -> Self:
        count = max(1, min(self.count, min(texts.shape) - 1))
        found = TruncatedSVD(count, random_state=SEED).fit(texts).components_
        self.places_ = np.round(found.T * (PLACES / max(float(np.abs(found).max()), 1e-12)))
        return self

    def transform(self, texts: Any) -> Any:
        places = texts @ self.places_
        lengths = np.sqrt((places * places).sum(axis=1, keepdims=True))
        return places / np.where(lengths == 0, 1.0, lengths)
