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


FRAME = Frame([Differing("t", place) for place in range(2000)], dict.fromkeys(range(10_000), 1))
"""Ten thousand questions, a fifth of them differing."""


def said(gained: int, lost: int, tied: int) -> Mapping[int, float]:
    return dict(enumerate([1.0] * gained + [-1.0] * lost + [0.0] * tied))


@pytest.mark.parametrize(
    ("tie", "not_worse", "equivalent"),
    [(0.0, 786, 1051), (0.5, 392, 526), (0.8, 157, 211)],
)
def test_ten_thousand_pairs_a_fifth_of_them_different(tie: float, not_worse: int, equivalent: int) -> None:
    """How many labels a margin of two points needs, 80 % power, at no difference, depends on how many are ties.

    By hand: with p the share that are no ties, z = 1.960 + 0.842, 1/m = ((0.02 / z)^2 - 0.2 p / 10,000) / (0.04 p) +
    1 / 2,000. Equivalent has two bounds to keep clear of: z = 1.960 + 1.282. After forty labels the pseudo-labels still
    make it a little more.
    """
    decisive = round(40 * (1 - tie) / 2)
    told = estimate(FRAME, said(decisive, decisive, 40 - 2 * decisive), margin=0.02)
    for by_hand, needed in ((not_worse, told.labels_for_not_worse), (equivalent, told.labels_needed)):
        assert needed is not None
        print(f"{tie * 100:.0f} % of the labels say same or both bad: {needed + 40} labels")
        assert by_hand <= needed + 40 <= 1.25 * by_hand


def test_a_small_difference_is_planned_for_the_nearest_word_which_is_equivalent() -> None:
    plans = [estimate(FRAME, said(10 + more, 10, 20 - more), margin=0.02) for more in (0, 1, 2)]
    assert [told.word for told in plans] == ["inconclusive"] * 3
    needed = [told.labels_needed for told in plans]
    assert None not in needed
    assert needed[0] < needed[1] < needed[2] <= 1960  # type: ignore[operator]
    ahead = [told.labels_for_not_worse for told in plans]
    assert ahead[0] > ahead[1] > ahead[2]  # type: ignore[operator]


def test_the_labels_for_equivalent_show_it_about_four_times_in_five() -> None:
    rng, decided = random.Random(5), 0  # noqa: S311
    for _ in range(300):
        values = [0.0 if rng.random() < 0.5 else rng.choice((-1.0, 1.0)) for _ in range(2000)]
        decided += estimate(FRAME, labelled(rng, values, 526), margin=0.02).word == "equivalent"
    assert 0.74 <= decided / 300 <= 0.87


def test_skips_count_as_the_worst_on_either_side() -> None:
    """Who skips all ties leaves labels that are all decisive: taken for all pairs they say +20 points; it is 2."""
    rng = random.Random(6)  # noqa: S311
    truth = dict(zip(rng.sample(range(2000), 400), [1.0] * 40 + [0.0] * 360, strict=True))
    labels = {place: value for place, value in truth.items() if value}
    skipped = [place for place, value in truth.items() if not value]
    blind, told = estimate(FRAME, labels, margin=0.02), estimate(FRAME, labels, margin=0.02, skipped=skipped)
    assert (blind.word, told.word, told.labels_needed) == ("better", "inconclusive", None)
    assert told.estimate == pytest.approx(0.02)
    ends = [estimate(FRAME, labels | dict.fromkeys(skipped, each), margin=0.02) for each in (-1.0, 1.0)]
    assert (told.low, told.high) == (ends[0].low, ends[1].high)
    few = estimate(FRAME, truth, margin=0.02)
    one = estimate(FRAME, {**truth, skipped[0]: 0.0}, margin=0.02, skipped=skipped[:1])
    assert few.word == one.word == "better"  # one skip of 400 changes nothing


def test_the_number_of_labels_that_it_asks_for_decides_about_four_times_in_five() -> None:
    rng, decided = random.Random(3), 0  # noqa: S311
    for _ in range(300):
        values = [0.0 if rng.random() < 0.5 else rng.choice((-1.0, 1.0)) for _ in range(2000)]
        word = estimate(FRAME, labelled(rng, values, 392), margin=0.02)
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


def test_a_judge_alone_says_nothing_unless_every_pair_has_a_verdict() -> None:
    frame, values = sample(random.Random(4), 50, 0.3, 0.4, 0.2)  # noqa: S311
    assert alone(frame, dict(enumerate(values[:-1]))) is None


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
