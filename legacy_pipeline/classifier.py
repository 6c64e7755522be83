"""How much better would the large model answer this? Load the artefact, ask it.

The artefact is JSON, made by `train.py` with scikit-learn. Asking it takes a dictionary and a few small products of
numpy: the same number as scikit-learn's pipeline gives, without its milliseconds a call.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from legacy_pipeline.features import SURFACE, Asked, read
from shared.contract import Identity, Request
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

SCHEMA: Final = "crossover-classifier/2"
CLIP: Final = 3.0
"""Standard deviations beyond which a count says no more."""

NOVELTY_DIGITS: Final = 4
"""Digits of the novelty, of a question as of those it is compared with: equal shares must stay equal."""

Vector = npt.NDArray[np.float64]


def question(request: Request) -> Asked:
    """What the classifier looks at: the task's name and the last user message."""
    return request.task, request.messages[-1].content


class Waves(BaseModel):
    """sum of weight * cos(x . frequency + phase): a smooth curve over a point x; `frequencies` has a row an input.

    Rahimi and Recht, Random Features for Large-Scale Kernel Machines (2007): a Gaussian kernel's ridge regression.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frequencies: tuple[tuple[float, ...], ...]
    phases: tuple[float, ...]
    weights: tuple[float, ...]


class Artefact(BaseModel):
    """What training leaves behind. `weights` is token -> [inverse document frequency, coefficient]; `topics` is
    word -> its place in a space of topics; `novelty` the sorted shares of unknown words in the validation questions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_name: str
    small: str
    large: str
    weights: dict[str, tuple[float, float]]
    topics: dict[str, tuple[int, ...]]
    topic_waves: Waves
    surface_mean: tuple[float, ...]
    surface_scale: tuple[float, ...]
    surface_waves: Waves
    intercept: float
    threshold: float
    novelty: tuple[float, ...]
    made: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Complexity:
    """`gain` is the expected score of the large model less the small one's; `novelty` the share of different words that
    the artefact does not know; `hard` where the gain is above the threshold."""

    gain: float
    novelty: float
    hard: bool


class _Curve:
    """`Waves` as arrays."""

    def __init__(self, waves: Waves) -> None:
        shape = len(waves.frequencies), len(waves.phases)
        self._frequencies = np.array(waves.frequencies, dtype=np.float64).reshape(shape)
        self._phases, self._weights = np.array(waves.phases), np.array(waves.weights)

    def at(self, point: Vector) -> float:
        return float(np.cos(point @ self._frequencies + self._phases) @ self._weights)


class Classifier:
    """Asks one artefact. The models it was trained for must be the ones it decides between."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        order = [*artefact.topics, *(token for token in artefact.weights if token not in artefact.topics)]
        self._places = {token: place for place, token in enumerate(order)}
        weights = np.array([artefact.weights[token] for token in order], dtype=np.float64).reshape(len(order), 2)
        self._frequencies, self._coefficients = weights[:, 0].copy(), weights[:, 1].copy()
        width = len(artefact.topic_waves.frequencies)
        self._topics = np.array([*artefact.topics.values()], dtype=np.float64).reshape(len(artefact.topics), width)
        self._mean, self._scale = np.array(artefact.surface_mean), np.array(artefact.surface_scale)
        self._topic_curve, self._surface_curve = _Curve(artefact.topic_waves), _Curve(artefact.surface_waves)

    @classmethod
    def load(cls, path: Path, *, small: Identity, large: Identity) -> Classifier:
        """Raises `BadInput` where the file is missing, broken, or was trained for other models or weights."""
        artefact = load_artefact(path)
        for role, trained, used in (("small", artefact.small, small), ("large", artefact.large, large)):
            if trained != weights_id(used):
                raise BadInput(
                    f"{path} was trained for the {role} model {trained}, not for {weights_id(used)}; "
                    "train it for these models: crossover classifier train"
                )
        return cls(artefact)

    def judge(self, request: Request) -> Complexity:
        """Raises `BadInput` where the artefact gives no number: NaN is above no threshold, and would pass for easy."""
        gain, novelty = self.look(question(request))
        if not math.isfinite(gain):
            raise BadInput(f"the classifier's gain is {gain}; its artefact is broken: make it again")
        return Complexity(gain, novelty, gain > self.artefact.threshold)

    def gain(self, asked: Asked) -> float:
        return self.look(asked)[0]

    def look(self, asked: Asked) -> tuple[float, float]:
        """The gain and the novelty.

        The gain is ridge regression on TF-IDF (logarithmic counts, unit Euclidean norm), on waves over the counts of
        `features.py` and on waves over the topic, all as scikit-learn's pipeline in `train.py` defines them.
        """
        features, places = read(asked), self._places
        counts = Counter([places[token] for token in features.tokens() if token in places])
        known = np.fromiter(counts, dtype=np.intp, count=len(counts))
        values = np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))
        values += 1.0
        values *= self._frequencies[known]
        length = math.sqrt(float(values @ values))
        gain = self.artefact.intercept + (float(values @ self._coefficients[known]) / length if length else 0.0)
        topical = known < len(self._topics)
        words = int(np.count_nonzero(topical))
        gain += self._topic_curve.at(_unit(values[topical] @ self._topics[known[topical]]))
        surface = (np.array(features.surface) - self._mean) / self._scale
        gain += self._surface_curve.at(surface.clip(-CLIP, CLIP))
        return gain, round(1 - words / len(set(features.words)), NOVELTY_DIGITS) if features.words else 1.0


def _unit(place: Vector) -> Vector:
    """The same direction with length 1, or the origin."""
    length = math.sqrt(float(place @ place))
    return place / length if length else place


def load_artefact(path: Path) -> Artefact:
    """Raises `BadInput` where the file is missing or no artefact of this version."""
    try:
        artefact = Artefact.model_validate(json.loads(contents(path, SETTINGS_BYTES)))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; make it with: crossover classifier train") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, ValidationError, RecursionError) as error:
        raise BadInput(f"{path} is no classifier ({type(error).__name__}); make it again") from None
    if artefact.schema_name != SCHEMA or not _fits(artefact):
        raise BadInput(f"{path} has schema {artefact.schema_name!r}, not {SCHEMA!r}; make it again")
    return artefact


def _fits(artefact: Artefact) -> bool:
    """Whether all its lists have the lengths that belong together."""
    topic, surface = artefact.topic_waves, artefact.surface_waves
    return (
        artefact.topics.keys() <= artefact.weights.keys()
        and len(artefact.surface_mean) == len(artefact.surface_scale) == len(surface.frequencies) == len(SURFACE)
        and {len(place) for place in artefact.topics.values()} <= {len(topic.frequencies)}
        and all(
            len(waves.phases) == len(waves.weights) and {len(row) for row in waves.frequencies} <= {len(waves.phases)}
            for waves in (topic, surface)
        )
    )


def novelty_bound(seen: tuple[float, ...], share: float) -> float:
    """The novelty that a further question like those of `seen` (sorted) exceeds with probability of at most `share`.

    Split conformal: the ceil((n + 1)(1 - share))-th smallest of n; infinite where n is too small for that share.
    """
    rank = math.ceil((len(seen) + 1) * (1 - share) - 1e-9)
    return seen[rank - 1] if rank <= len(seen) else math.inf


def weights_id(identity: Identity) -> str:
    """A model and its weights, however they are reached: a recording of a model stands for the model."""
    return f"{identity.model}@{identity.version[:16]}" if identity.version else identity.model
