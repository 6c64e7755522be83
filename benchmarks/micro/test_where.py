"""What clients and pipelines add to an answer, all of them, as `crossover where` measures it.

`pytest benchmarks/micro/test_where.py -s` prints its table. Asserted are ratios within one run: what streams through
LiteLLM or through our own backend, what comes whole, and that our pipelines stay below any client library.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import where

ROUNDS = 100

pytestmark = [  # litellm's own
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields' attribute on the instance:DeprecationWarning"),
]


@pytest.mark.benchmark(group="where")
def test_what_is_added_to_an_answer(benchmark: Any) -> None:
    document = benchmark.pedantic(lambda: where.where(ROUNDS), rounds=1)
    print("\n" + where.text(document))
    adds_s = {
        (way["name"].split()[0] if way["over"] == "bare socket" else way["name"], way["how"]): way["adds_s"]["value"]
        for way in document["ways"]
    }
    benchmark.extra_info |= {f"{name}, {how}": seconds for (name, how), seconds in adds_s.items()}
    assert not document["left_out"]
    assert adds_s["litellm", "whole"] >= 5 * adds_s["http", "whole"]
    assert adds_s["litellm", "streamed"] >= 10 * adds_s["http", "streamed"]
    assert adds_s["legacy pipeline, cache miss", "whole"] <= adds_s["openai", "whole"]
    assert adds_s["direct pipeline", "whole"] <= adds_s["legacy pipeline, cache hit", "whole"]
