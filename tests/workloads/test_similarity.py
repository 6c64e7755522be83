"""Near-duplicates: what MinHash proposes holds all that the exact index finds. Templates: each way finds its own."""

from __future__ import annotations

import random
import sys
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.workloads import similarity
from benchmarks.workloads.similarity import (
    Pair,
    character_grams,
    families,
    frames,
    jaccard,
    largest,
    near_duplicates,
    opening,
    skeleton,
    word_grams,
    words_of,
)
from shared.errors import BadInput

WORDS = st.sampled_from(["my", "parcel", "from", "Rome", "is", "late", "and", "the", "box", "was", "open", "on"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), min_size=2, max_size=20)


def by_hand(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    words = [words_of(text) for text in texts]
    found = {}
    for one, other in combinations(range(len(texts)), 2):
        index = jaccard(word_grams(words[one]), word_grams(words[other]))
        if max(len(words[one]), len(words[other])) < similarity.SHORT_WORDS:
            index = max(index, jaccard(character_grams(words[one]), character_grams(words[other])))
        if index >= threshold:
            found[one, other] = index
    return found


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_every_pair_at_the_threshold_is_found_with_its_exact_index(texts: list[str]) -> None:
    found = near_duplicates(texts, 0.7)
    assert {(pair.first, pair.second): pair.jaccard for pair in found} == by_hand(texts, 0.7)
    assert found == sorted(found, key=lambda pair: (-pair.jaccard, pair.first, pair.second))
    assert near_duplicates(texts, 0.7) == found


def test_unrelated_long_texts_and_texts_without_words_are_no_pairs() -> None:
    chance = random.Random(7)  # noqa: S311
    texts = [" ".join(chance.choices([f"word{number}" for number in range(500)], k=40)) for _ in range(50)]
    assert near_duplicates([*texts, "", "??", "+-*", "!!"], 0.5) == []
    assert near_duplicates([], 0.5) == []


def test_one_word_changed_in_a_short_text_is_seen_by_its_characters() -> None:
    texts = ["Please send my parcel to Rome.", "please send my parcel to Oslo!"]
    assert jaccard(*(word_grams(words_of(text)) for text in texts)) < 0.7
    assert [(pair.first, pair.second) for pair in near_duplicates(texts, 0.6)] == [(0, 1)]
    assert near_duplicates(["SAME  text, here", "same text here"], 0.5) == [Pair(0, 1, 1.0)]


def test_each_of_very_many_copies_stands_in_a_pair() -> None:
    copies = 200
    found = near_duplicates(["Where is my parcel?"] * copies, 0.5)
    assert {place for pair in found for place in (pair.first, pair.second)} == set(range(copies))
    assert len(found) < copies * (copies - 1) / 2


def test_without_datasketch_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(BadInput, match="make dev"):
        near_duplicates(["a b c", "a b c"], 0.5)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("I met Anna in New York at 9:30.", "i met _n in _n at _0"),
        ("Anna left. Bo stayed until 3,5 PM", "anna left bo stayed until _0 _n"),
        ('He said "come home" and I didn’t', "he said _q and i didn't"),
        ("WHERE IS MY MONEY", "where is my money"),
        ("the dogs' bowl and the cats' bowl", "the dogs bowl and the cats bowl"),
        ("", ""),
    ],
)
def test_a_skeleton_masks_numbers_names_and_quotations(text: str, masked: str) -> None:
    assert skeleton(text) == masked


@given(st.text())
def test_a_skeleton_can_be_made_of_any_text(text: str) -> None:
    assert skeleton(text) == " ".join(skeleton(text).split())


CHANCE = random.Random(7)  # noqa: S311
VOCABULARY = ["".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(9000)]
NATURAL = [" ".join(CHANCE.choices(VOCABULARY, k=12)) for _ in range(150)]
SCATTERED = [
    "my {} from {} arrived on {} and the {} was {}".format(*CHANCE.choices(VOCABULARY, k=5)) for _ in range(20)
]
FILLED = [
    f"{CHANCE.choice('ABCDE')} had {number} red apples and gave away three of them {when}"
    for number, when in zip(range(20), ["today", "yesterday"] * 10, strict=True)
]
GROUPS = [f"g{number}" for number in range(len(NATURAL) + 20)]


def test_a_frame_is_found_though_most_of_its_words_were_filled_in() -> None:
    texts = NATURAL + SCATTERED
    assert len(largest([skeleton(text) for text in texts], GROUPS)) < 5
    assert len(largest(families([skeleton(text) for text in texts], 0.7), GROUPS)) < 5
    assert largest(frames(texts), GROUPS) == list(range(150, 170))


def test_a_family_joins_skeletons_that_differ_in_a_word() -> None:
    texts = NATURAL + FILLED
    assert len(largest([skeleton(text) for text in texts], GROUPS)) < 10
    assert largest(families([skeleton(text) for text in texts], 0.7), GROUPS) == list(range(150, 170))
    assert len(largest(families(NATURAL, 0.7), GROUPS)) == 0


def test_what_one_group_shares_is_no_template() -> None:
    assert largest(["a", "a", "a", "b", "b", None, None], ["g1", "g1", "g1", "g2", "g3", "g4", "g5"]) == [3, 4]
    assert largest(["a", "b"], ["g1", "g2"]) == []


def test_an_opening_has_all_its_words() -> None:
    assert opening("What's the capital, of France?", 4) == "what's the capital of"
    assert opening("What is it?", 4) is None
