"""The grammar scorer: edits of what models really made of the workload's sentences, and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import grammar
from benchmarks.quality.score import score
from benchmarks.quality.short_answer import plain
from benchmarks.workloads.workload import load

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "don't", ",", "(", "1"]), max_size=8).map(
    " ".join
)


@pytest.mark.parametrize(
    ("item_id", "answer", "value"),
    [
        ("grammar-118", "She is working as a nurse in a hospital.", 1),
        ("grammar-118", "She is working as nurse in an hospital.", 0),  # nothing corrected
        ("grammar-118", "She is working as a nurse in an hospital.", 1.25 / (1 + 0.25 * 2)),  # one of two edits
        ("grammar-156", "He goes to work by foot, even when it rains.", 1.25 / (1 + 0.25 * 2)),
        ("grammar-150", "Let me know if you can come.", 0),  # another edit than the one that is wanted
        ("grammar-054", "Where you're going?", 0),  # neighbouring changes are one edit, and this is another
        ("grammar-147", "our next lesson starts in 9 o'clock.", 0),
        ("grammar-010", "They leave tomorrow morning.", 0),
    ],
)  # fmt: skip
def test_recorded_answers(item_id: str, answer: str, value: float) -> None:
    workload = load()
    got = score(answer, workload.by_id[item_id], workload)
    assert got.value == pytest.approx(value), got.reason


def test_by_hand() -> None:
    """Two edits wanted; the answer makes one of them and another: the one of two tokens counts twice.

    Precision 1/3, recall 1/2, F0.5 = 5/14.
    """
    got, reason = grammar.score(
        "he goes to a big school in bus", "he go to school in bus", ["he goes to school by bus"]
    )
    assert got == pytest.approx(5 / 14)
    assert reason == "1 of 2 edits right, 1 not asked for"


def test_the_best_of_several_references_counts() -> None:
    got, _ = grammar.score("I went home and ate", "I go home and eat", ["I go home and ate", "I went home and eats"])
    assert got == pytest.approx(1.25 / (2 + 0.25))  # both have one of the two edits, the first asks for no more


def test_a_correct_source_must_stay_as_it_is() -> None:
    source = "The shop opens at nine."
    assert grammar.score("the shop opens at nine", source, [source])[0] == 1
    assert grammar.score("The shop opens at ten.", source, [source])[0] == 0


def test_an_article_put_in_before_the_first_word_is_an_edit() -> None:
    assert grammar.score("Train was late.", "Train was late.", ["The train was late."])[0] == 0


def test_chatter_scores_low() -> None:
    source, right = "He go home at six.", "He goes home at six."
    assert grammar.score(f"Sure! Here is the corrected text: {right}", source, [right])[0] < 0.2
    assert grammar.score("Sure! I can help you with grammar and spelling.", source, [right])[0] == 0


@pytest.mark.parametrize("answer", ["ok", "Sure!", "I", "Okay, I can help you with that."])
def test_what_is_no_correction_gets_nothing(answer: str) -> None:
    workload = load()
    items = [item for item in workload.split("test") if workload.scorer(item) == "grammar"]
    assert sum(score(answer, item, workload).value for item in items) == 0


def test_a_source_that_differs_in_nothing_that_counts_hides_its_edits() -> None:
    assert grammar.hides_its_edits("i live in london", ["I live in London."])
    assert not grammar.hides_its_edits("I live in London.", ["I live in London!", "I live in London."])
    assert not grammar.hides_its_edits("I lives in London.", ["I live in London."])


def test_spaces_between_words_and_marks_count() -> None:
    assert (
        0 < grammar.score("He goes home , then sleeps", "He go home then sleeps", ["He goes home, then sleeps"])[0] < 1
    )


@given(st.text(), st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_any_text_stays_between_0_and_1_and_an_accepted_one_scores_1(
    text: str, source: str, accepted: list[str]
) -> None:
    assert 0.0 <= grammar.score(text, source, accepted)[0] <= 1.0
    assert all(grammar.score(each, source, accepted)[0] == 1.0 for each in accepted)


@given(WORDS, WORDS, WORDS)
def test_only_an_accepted_text_scores_1_whatever_its_case_and_spaces(text: str, source: str, wanted: str) -> None:
    value = grammar.score(text, source, [wanted])[0]
    assert (value == 1.0) == (plain(text) == plain(wanted))
    assert grammar.score(f"  {text.upper().replace(' ', '  ')} ", source, [wanted])[0] == value
