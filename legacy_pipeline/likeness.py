"""How likely two questions ask the same where their words do not settle it: a dozen features, a logistic regression.

`paraphrase.py` says for sure that two questions differ (another number, name, direction, negation), or that they ask
the same. Between the two stand pairs with words that no list of synonyms knows. There the vectors of the questions and
of the words left over tell more than chance: a paraphrase says it all differently, a near miss changes one word. The
weights are `artefacts/likeness.json`, made by `crossover cache train`. Off unless `semantic_threshold` is below 0.95.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from legacy_pipeline.paraphrase import Meaning, difference
from legacy_pipeline.wording import unified
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

SCHEMA: Final = "crossover-likeness/1"
ARTEFACT: Final = Path(__file__).with_name("artefacts") / "likeness.json"
SETTLED: Final = 0.95
"""From here on the words allow it. Below, the share of 0.95 is the probability."""
LEAST_COSINE: Final = 0.7
"""Less alike than this, the words are not believed either."""
UNSETTLED: Final = frozenset({"words", "order"})
FEATURES: Final = (
    "cosine", "cosine squared", "words shared", "words left over", "surplus of one side", "cosine of what is left over",
    "one word for another", "words on one side only", "one word for another, times cosine", "asks for something else",
    "bound otherwise", "other persons", "words in common", "words of the shorter",
)  # fmt: skip


def left_over(one: Meaning, other: Meaning) -> tuple[str, str]:
    """The words of each side that the other lacks, as a text."""
    left, right = Counter(one.core), Counter(other.core)
    return " ".join((left - right).elements()), " ".join((right - left).elements())


def features(one: Meaning, other: Meaning, cosine: float, residue: float) -> tuple[float, ...]:
    """The values named in `FEATURES`. `residue` is the cosine of what is left over, 0 where a side has nothing."""
    left, right = (len(each.split()) for each in left_over(one, other))
    common = sum((Counter(one.core) & Counter(other.core)).values())
    swap = float(left == right == 1)
    return (
        cosine, cosine * cosine, common / max(common + left + right, 1), left + right, abs(left - right), residue,
        swap, float((not left) != (not right)), swap * cosine, float(one.asks != other.asks),
        float(one.bound != other.bound), float(one.persons != other.persons), common,
        min(len(one.core), len(other.core)),
    )  # fmt: skip


class Likeness(BaseModel):
    """The trained weights, one a feature, for values as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str
    weights: tuple[float, ...]
    intercept: float
    made: dict[str, Any]

    @classmethod
    def load(cls, path: Path = ARTEFACT) -> Likeness:
        """Raises `BadInput` where the file is missing or not of this form."""
        try:
            found = cls.model_validate(json.loads(contents(path, SETTINGS_BYTES)))
        except (OSError, ValueError, ValidationError) as error:
            raise BadInput(f"{path} cannot be used ({type(error).__name__}); make it: crossover cache train") from None
        if found.schema_name != SCHEMA or len(found.weights) != len(FEATURES):
            raise BadInput(f"{path} is of another form than this code; make it again: crossover cache train")
        return found

    def probability(self, values: tuple[float, ...]) -> float:
        """That both ask the same, for a pair that the words do not settle."""
        total = self.intercept + sum(weight * value for weight, value in zip(self.weights, values, strict=True))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def is_open(one: Meaning, other: Meaning) -> bool:
    """Whether the words leave it open if both ask the same: they do not where one excludes another."""
    if difference(one, other) not in UNSETTLED:
        return False
    left, right = (set(side.split()) for side in left_over(one, other))
    return not any(left & each and right & each for each in _contrasts())


@cache
def _contrasts() -> tuple[frozenset[str], ...]:
    """Classes of stems of which one excludes another."""
    lines = files("legacy_pipeline").joinpath("contrasts.txt").read_text("utf-8").splitlines()
    classes = (line.split() for line in lines if not line.startswith("#"))
    return tuple(frozenset(stem for word in each for stem in unified([word])) for each in classes)


def settled(cosine: float) -> float:
    """The likeness, in [0, 1], of two questions whose words allow it: 0.95 or more where the encoder agrees."""
    if cosine < LEAST_COSINE:
        return SETTLED * max(cosine, 0.0) / LEAST_COSINE
    return SETTLED + (1 - SETTLED) * min(cosine, 1.0)
