"""How much better would the large model answer this? Load the artefact, ask it.

The artefact is JSON, made by `train.py` with scikit-learn. Asking it is plain Python over a dictionary of weights: the
same number as scikit-learn's pipeline gives, without its half millisecond a call.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.contract import Identity, Request
from shared.errors import BadInput

SCHEMA = "crossover-classifier/1"
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:]\d+)*|[^\w\s]")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
NEGATION = re.compile(r"\b(?:no|not|never|none|neither|nor|without|except|\w+n't)\b", re.IGNORECASE)
COMPARISON = re.compile(
    r"\b(?:more|less|fewer|than|before|after|between|each|every|per|half|twice|left)\b", re.IGNORECASE
)
SURFACE = ("characters", "words", "word length", "numbers", "longest number", "sentences", "negations", "comparisons")


def question(request: Request) -> tuple[str, str]:
    """What the classifier looks at: the task's name and the last user message."""
    return request.task, request.messages[-1].content


def tokens(asked: tuple[str, str]) -> list[str]:
    """The task, words and word pairs; digits become their count, so that 17 and 23 are the same word."""
    task, text = asked
    words = [f"#{len(word)}" if word[0].isdigit() else word.lower() for word in WORD.findall(text)]
    return [f"task={task}", *words, *(f"{first} {second}" for first, second in pairwise(words))]


def surface(asked: tuple[str, str]) -> tuple[float, ...]:
    """The counts named in `SURFACE`, the unbounded ones as log(1 + count)."""
    text = asked[1]
    words, numbers = text.split(), NUMBER.findall(text)
    return (
        math.log1p(len(text)),
        math.log1p(len(words)),
        len(text) / max(1, len(words)),
        math.log1p(len(numbers)),
        float(max(map(len, numbers), default=0)),
        math.log1p(sum(text.count(mark) for mark in ".!?\n")),
        float(len(NEGATION.findall(text))),
        float(len(COMPARISON.findall(text))),
    )


class Artefact(BaseModel):
    """What training leaves behind. `weights` is token -> [inverse document frequency, coefficient]."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    schema_name: str
    small: str
    large: str
    weights: dict[str, tuple[float, float]]
    surface_weights: tuple[float, ...]
    intercept: float
    threshold: float
    made: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Complexity:
    """`gain` is the expected score of the large model less the small one's; `hard` where it is above the threshold."""

    gain: float
    hard: bool


class Classifier:
    """Asks one artefact. The models it was trained for must be the ones it decides between."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self._weights = artefact.weights

    @classmethod
    def load(cls, path: Path, *, small: Identity, large: Identity) -> Classifier:
        """Raises `BadInput` where the file is missing, broken, or was trained for other models or weights."""
        try:
            artefact = Artefact.model_validate(json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise BadInput(f"{path} is missing; make it with: crossover classifier train") from None
        except (ValueError, ValidationError) as error:
            raise BadInput(f"{path} is no classifier ({type(error).__name__}); make it again") from None
        if artefact.schema_name != SCHEMA or len(artefact.surface_weights) != len(SURFACE):
            raise BadInput(f"{path} has schema {artefact.schema_name!r}, not {SCHEMA!r}; make it again")
        for role, trained, used in (("small", artefact.small, small), ("large", artefact.large, large)):
            if trained != weights_id(used):
                raise BadInput(
                    f"{path} was trained for the {role} model {trained}, not for {weights_id(used)}; "
                    "train it for these models: crossover classifier train"
                )
        return cls(artefact)

    def judge(self, request: Request) -> Complexity:
        """TF-IDF with unit Euclidean norm, then ridge regression, both as scikit-learn defines them."""
        gain = self.gain(question(request))
        return Complexity(gain, gain > self.artefact.threshold)

    def gain(self, asked: tuple[str, str]) -> float:
        dot = square = 0.0
        for token, count in Counter(tokens(asked)).items():
            if token in self._weights:
                frequency, weight = self._weights[token]
                value = count * frequency
                dot += value * weight
                square += value * value
        words = dot / math.sqrt(square) if square else 0.0
        counts = sum(
            value * weight for value, weight in zip(surface(asked), self.artefact.surface_weights, strict=True)
        )
        return words + counts + self.artefact.intercept


def weights_id(identity: Identity) -> str:
    """A model and its weights, however they are reached: a recording of a model stands for the model."""
    return f"{identity.model}@{identity.version[:16]}" if identity.version else identity.model
