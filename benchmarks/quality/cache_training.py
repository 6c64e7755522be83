"""`crossover cache train`: the weights of `legacy_pipeline/likeness.py`, from pairs whose words leave it open.

Logistic regression by scikit-learn on standardised features; the scaling is folded into the weights that are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.progress import over
from benchmarks.quality.cache_pairs import Pair, read
from legacy_pipeline.likeness import ARTEFACT, FEATURES, SCHEMA, Likeness, features, is_open, left_over
from shared.errors import BadInput
from shared.files import replacing, sha256_of

if TYPE_CHECKING:
    from legacy_pipeline.semantic import Encoder

TUNED_ON: Final = Path(__file__).with_name("cache_pairs_training.csv")
STRENGTH: Final = 0.3
"""scikit-learn's C: the inverse of the regularisation."""
LEAST: Final = 40


def run(file: Path | None) -> int:
    """Train on the pairs in `file`, or on those of this folder, and replace the artefact. Raises `BadInput`."""
    from legacy_pipeline.semantic import MiniLm

    file = file or TUNED_ON
    likeness = fit(read(file), MiniLm(), {"pairs": file.name, "sha256": sha256_of(file)[:16]})
    with replacing(ARTEFACT) as opened:
        opened.write((json.dumps(likeness.model_dump(), indent=1) + "\n").encode())
    print(f"trained on {likeness.made['open']} pairs of {likeness.made['of']} whose words leave it open: {ARTEFACT}")
    return 0


def fit(pairs: Sequence[Pair], encoder: Encoder, made: Mapping[str, Any]) -> Likeness:
    """Raises `BadInput` where fewer than `LEAST` pairs of either kind are open."""
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = [
        (values, pair.same) for pair in over("pairs encoded", pairs) if (values := _features(pair, encoder)) is not None
    ]
    counts = [sum(same is wanted for _, same in rows) for wanted in (True, False)]
    if min(counts) < LEAST:
        raise BadInput(
            f"{counts[0]} pairs of the same meaning and {counts[1]} others whose words leave it open; "
            f"{LEAST} of each are needed"
        )
    scale = StandardScaler().fit([values for values, _ in rows])
    model = LogisticRegression(C=STRENGTH).fit(scale.transform([values for values, _ in rows]), [s for _, s in rows])
    spread = [float(each) for each in scale.scale_]
    weights = [float(weight) / each for weight, each in zip(model.coef_[0], spread, strict=True)]
    shift = sum(weight * float(mean) for weight, mean in zip(weights, scale.mean_, strict=True))
    return Likeness(
        schema_name=SCHEMA,
        weights=tuple(weights),
        intercept=float(model.intercept_[0]) - shift,
        made={**made, "open": len(rows), "of": len(pairs), "scikit-learn": sklearn.__version__, "features": FEATURES},
    )


def _features(pair: Pair, encoder: Encoder) -> tuple[float, ...] | None:
    """None where the words or the conversation settle it, or a text is too long for the encoder."""
    from legacy_pipeline.paraphrase import meaning

    texts = [each.messages[-1].content for each in (pair.a, pair.b)]
    one, other = map(meaning, texts)
    if pair.a.messages[:-1] != pair.b.messages[:-1] or not is_open(one, other):
        return None
    vectors = [encoder.encode(text) for text in texts]
    rest = [encoder.encode(text) if text else None for text in left_over(one, other)]
    if vectors[0] is None or vectors[1] is None:
        return None
    residue = 0.0 if rest[0] is None or rest[1] is None else float(rest[0] @ rest[1])
    return features(one, other, float(vectors[0] @ vectors[1]), residue)
