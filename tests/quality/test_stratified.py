"""The interval over a sample of labels holds what it promises, and so does a biased judge once it is corrected."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.agreement import agreement
from benchmarks.quality.prediction_powered import alone, corrected
from benchmarks.quality.stratified import Differing, Estimate, Frame, estimate

RUNS = 1000


def sample(rng: random.Random, groups: int, differing: float, better: float, tie: float) -> tuple[Frame, list[float]]:
    """Groups of one to four questions, half of which have all their outcomes alike, and what labels would say."""
    pairs, truth, sizes = list[Differing](), list[float](), dict[int, int]()

    def draw() -> float | None:
        if rng.random() >= differing:
            return None
        return 0.0 if rng.random() < tie else 1.0 if rng.random() < better else -1.0

    for group in range(groups):
        sizes[group] = rng.randint(1, 4)
        alike, common = rng.random() < 0.5, draw()
        for _ in range(sizes[group]):
            if (value := common if alike else draw()) is not None:
                pairs.append(Differing(f"task {group % 4}", group))
                truth.append(value)
    return Frame(pairs, sizes), truth


def labelled(rng: random.Random, truth: list[float], count: int) -> Mapping[int, float]:
    return {place: truth[place] for place in rng.sample(range(len(truth)), min(count, len(truth)))}


def covers(told: Estimate, truth: float) -> bool:
    assert told.low is not None
    assert told.high is not None
    assert told.low < told.high
    return told.low <= truth <= told.high


@pytest.mark.parametrize(
    ("groups", "differing", "better", "tie", "labels"),
    [
        (480, 0.2, 0.45, 0.3, 30),
        (480, 0.2, 0.3, 0.3, 100),
        (480, 0.05, 0.3, 0.0, 20),
        (480, 0.2, 0.45, 0.3, 1000),  # every pair has its label
        (120, 0.2, 0.3, 0.3, 40),
    ],
)
def test_the_interval_covers(groups: int, differing: float, better: float, tie: float, labels: int) -> None:
    rng, truth, held = random.Random(1), differing * (1 - tie) * (2 * better - 1), 0  # noqa: S311
    for _ in range(RUNS):
        frame, values = sample(rng, groups, differing, better, tie)
        held += covers(estimate(frame, labelled(rng, values, labels), margin=0.02), truth)
    assert 0.935 <= held / RUNS <= 0.985


def test_a_biased_judge_covers_nothing_alone_and_is_right_once_corrected() -> None:
    rng, truth, held, trusting, narrower = random.Random(2), 0.2 * 0.7 * -0.1, 0, 0, 0.0  # noqa: S311
    for _ in range(RUNS):
        frame, values = sample(rng, 480, 0.2, 0.45, 0.3)
        judged = {
            place: value if rng.random() < 0.7 else 1.0 for place, value in enumerate(values) if rng.random() < 0.98
        }
        labels = labelled(rng, values, 100)
        told, people = corrected(frame, labels, judged, margin=0.02), estimate(frame, labels, margin=0.02)
        assert None not in (told.low, told.high, people.low, people.high)
        held += covers(told, truth)
        trusting += covers(estimate(frame, judged, margin=0.02), truth)  # as if its verdicts were labels
        narrower += (told.high - told.low) / (people.high - people.low) / RUNS  # type: ignore[operator]
    assert 0.935 <= held / RUNS <= 0.985
    assert trusting / RUNS < 0.05
    assert narrower < 0.95


@pytest.mark.parametrize(
    ("tie", "by_hand"),
    [(0.0, 786), (0.5, 392), (0.8, 157)],
)
def test_ten_thousand_pairs_a_fifth_of_them_different(tie: float, by_hand: int) -> None:
    """How many labels a margin of two points needs, 80 % power, at no difference, depends on how many are ties.

    By hand: with p the share that are no ties, z = 1.960 + 0.842, 1/m = ((0.02 / z)^2 - 0.2 p / 10,000) / (0.04 p) +
    1 / 2,000. After forty labels the pseudo-labels still make it a little more.
    """
    frame = Frame([Differing("t", place) for place in range(2000)], dict.fromkeys(range(10_000), 1))
    decisive = round(40 * (1 - tie) / 2)
    values = [1.0] * decisive + [-1.0] * decisive + [0.0] * (40 - 2 * decisive)
    told = estimate(frame, dict(enumerate(values)), margin=0.02)
    assert told.labels_needed is not None
    total = told.labels_needed + len(values)
    print(f"{tie * 100:.0f} % of the labels say same or both bad: {total} labels")
    assert by_hand <= total <= 1.25 * by_hand


def test_the_number_of_labels_that_it_asks_for_decides_about_four_times_in_five() -> None:
    rng, decided = random.Random(3), 0  # noqa: S311
    frame = Frame([Differing("t", place) for place in range(2000)], dict.fromkeys(range(10_000), 1))
    for _ in range(300):
        values = [0.0 if rng.random() < 0.5 else rng.choice((-1.0, 1.0)) for _ in range(2000)]
        word = estimate(frame, labelled(rng, values, 392), margin=0.02)
        decided += word.not_worse
    assert 0.74 <= decided / 300 <= 0.87


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=40), st.integers(0, 60))
def test_all_labels_give_the_plain_mean_and_no_interval_is_without_width(values: list[float], equal: int) -> None:
    frame = Frame(
        [Differing(f"t{place % 3}", place) for place in range(len(values))],
        dict.fromkeys(range(len(values) + equal), 1),
    )
    told = estimate(frame, dict(enumerate(values)), margin=0.02)
    assert told.estimate == pytest.approx(sum(values) / (len(values) + equal))
    assert told.low is not None
    assert told.high is not None
    assert told.low < told.high


def test_a_right_judge_leaves_the_labels_estimate_where_it_was() -> None:
    frame, values = sample(random.Random(4), 200, 0.3, 0.4, 0.2)  # noqa: S311
    judged = dict(enumerate(values))
    told = corrected(frame, {place: values[place] for place in range(20)}, judged, margin=0.02)
    assert told.estimate == pytest.approx(sum(values) / frame.questions) == alone(frame, judged)


def test_too_few_labels_or_groups_decide_nothing() -> None:
    frame = Frame([Differing("t", "g"), Differing("t", "g")], {"g": 2})
    told = estimate(frame, {0: 1.0, 1: 1.0}, margin=0.02)
    assert (told.estimate, told.low, told.word) == (None, None, "inconclusive")
    assert "1 group" in told.reason


def test_kappa() -> None:
    told = agreement([(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15)
    assert told == {"pairs": 50, "share": 0.7, "kappa": pytest.approx(0.4)}
    assert agreement([(1, 1)]) == {"pairs": 1, "share": 1.0, "kappa": None}
    assert agreement([]) == {"pairs": 0, "share": None, "kappa": None}
