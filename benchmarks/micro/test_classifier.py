"""What one classification costs, beside scikit-learn's own pipeline and litellm's heuristic, as ratios.

All three take the same prompts in turns, so that a slow moment of the machine slows all of them.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import rivals
from benchmarks.workloads.workload import load
from legacy_pipeline.classifier import Classifier, question
from legacy_pipeline.features import read
from legacy_pipeline.train import export, fit

LIMIT_US = 200.0
SKLEARN_RATIO, LITELLM_RATIO = 5.0, 1.2


@pytest.mark.benchmark(group="classifier")
def test_beside_scikit_learn_and_litellm(benchmark: Any) -> None:
    workload = load()
    asked = [question(workload.request(item)) for item in workload.items]
    rng = random.Random(7)  # noqa: S311
    small, large = ([float(rng.random() < share) for _ in asked] for share in (0.4, 0.7))
    fitted = fit(asked, small, large, range(len(asked)))
    classifier, heuristic = Classifier(export(fitted, "s", "l")), rivals.heuristic()
    arms: dict[str, Callable[[tuple[str, str]], Any]] = {
        "classifier": classifier.gain,
        "scikit_learn": lambda each: fitted.pipeline.predict([read(each)]),
        "litellm_heuristic": lambda each: heuristic(each[1]),
    }

    def medians_us() -> dict[str, float]:
        spent: dict[str, list[float]] = {name: [] for name in arms}
        for each in asked[::4]:
            for name, arm in arms.items():
                begun = time.thread_time()
                arm(each)
                spent[name].append((time.thread_time() - begun) * 1e6)
        return {name: statistics.median(each) for name, each in spent.items()}

    found = benchmark.pedantic(medians_us, rounds=1)
    benchmark.extra_info |= {f"{name}_us": round(us, 1) for name, us in found.items()}
    assert found["classifier"] < LIMIT_US
    assert found["scikit_learn"] / found["classifier"] > SKLEARN_RATIO
    assert found["litellm_heuristic"] / found["classifier"] > LITELLM_RATIO
    print({name: round(us, 1) for name, us in found.items()})
