"""The stream of requests: seeded, every question in it, repeats in the stated share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.workloads.traffic import stream
from benchmarks.workloads.workload import Item


def items(count: int) -> list[Item]:
    return [
        Item(id=f"i{number}", group="g", task="t", input="?", reference=1, author="a", source="s", licence="l")
        for number in range(count)
    ]


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 80),
    repeat_share=st.sampled_from([0.0, 0.31, 0.9]),
    zipf=st.sampled_from([0.0, 1.0, 3.0]),
    seed=st.integers(0, 5),
)
def test_every_question_once_and_repeats_of_what_was_asked_before(
    count: int, repeat_share: float, zipf: float, seed: int
) -> None:
    asked = stream(items(count), repeat_share=repeat_share, zipf=zipf, limit=None, seed=seed)
    assert [each.number for each in asked] == list(range(len(asked)))
    assert len(asked) == round(count / (1 - repeat_share))
    seen: set[str] = set()
    for each in asked:
        assert each.repeat == (each.item.id in seen)
        seen.add(each.item.id)
    assert len(seen) == count
    assert asked == stream(items(count), repeat_share=repeat_share, zipf=zipf, limit=None, seed=seed)


def test_another_seed_is_another_stream_and_a_limit_keeps_the_first() -> None:
    first, second = (stream(items(50), repeat_share=0.3, zipf=1.0, limit=None, seed=seed) for seed in (1, 2))
    assert first != second
    assert stream(items(50), repeat_share=0.3, zipf=1.0, limit=20, seed=1) == first[:20]


def test_popular_questions_are_repeated_more() -> None:
    asked = stream(items(100), repeat_share=0.9, zipf=1.0, limit=None, seed=3)
    counts = sorted(Counter(each.item.id for each in asked).values(), reverse=True)
    assert counts[0] > 3 * counts[49]
