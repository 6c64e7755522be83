"""Do two questions ask the same? Vectors cannot tell ("turn on" is close to "turn off"), so words decide.

A question is reduced to its content: contractions opened, numbers in one spelling, politeness and the many ways to
begin a question taken off, endings and synonyms unified. Two questions are the same only if nothing is left over on
either side and the rest stands in the same roles. So a difference of any kind that is not known to be harmless (a
negation, an opposite, a number, a name, a unit, a date) keeps them apart, and no list of opposites can be incomplete.
The price: a paraphrase in words that `synonyms.txt` does not know is refused. English only: text in other languages
matches where all its words are equal.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_TOKEN: Final = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:\+\+|#)?|[^\w\s.,?!;\"'()-]|(?<![\w)])-(?=\d)|[.,?!;:]|'s\b")
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|(?<!\w)'([^']*)'(?!\w)|`([^`]*)`")
_CODE: Final = re.compile(r"[^\w\s.,?!;:\"'()$€£%#&/+-]")

_NUMBERS: Final = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "hundred": "100", "thousand": "1000", "dozen": "12", "first": "1st"}
_SYMBOLS: Final = {"$": "dollar", "€": "euro", "£": "pound sterling", "%": "percent", "&": "and"}

# How a question begins, in the order tried, on text in lower case with its contractions opened.
_REWRITE: Final = tuple(
    (re.compile(rf"\b(?:{pattern})(?!\w)"), text)
    for pattern, text in (
        (r"(?:hi|hello|hey)(?: there)?[ ,!]", ""),
        (r"please|kindly|thanks|thank you|just|actually|exactly|basically|currently|right now|quick question", ""),
        (r"(?:can|could|would|will) you (?:tell|show|explain|help|teach|give|describe)(?: to)?(?: me| us)?(?: know)?", "explain"),
        (r"(?:i|we) (?:want|need|would like|wish) (?:to know|to find out|to understand|help with)|i am wondering|i wonder", "explain"),
        (r"do you know|any idea|let me know|help me understand", "explain"),
        (r"(?:i|we) (?:forgot|lost) (?:my|our|the) (\w+) ?,? (?:and )?(?=how .* reset it)", ""),
        (r"(?:what|which|tell me|explain|show me|give me|describe)? ?(?:is|are|was)? ?(?:the|a|an|some)? ?(?:best|easiest|right|correct|proper|simplest|quickest)? ?(?:way|ways|method|process|procedure|step|steps|instructions) (?:to|for|of|on|involved in)", "how"),
        (r"is there (?:a|any|some) way (?:to|for me to|i can)", "how"),
        (r"what (?:do|does|should|must|can|could) (?:i|we|you|one) (?:need |have )?(?:to )?do (?:to|in order to)", "how"),
        (r"how (?:do|does|did|can|could|would|should|might|to) (?:i|we|you|one|someone|somebody|people|a person)? ?(?:go about)?", "how"),
        (r"(?:i|we) (?:want|need|would like|wish|am trying|are trying|am looking) to", "how"),
        (r"how to", "how"),
        (r"(?:is it|would it be) (?:possible|okay|ok|fine|allowed|permitted|acceptable)(?: for (?:me|us|you|one))? to", "can i"),
        (r"(?:is it|would it be) (?:possible|okay|ok|fine|allowed|permitted|acceptable) for ((?:\w+ ){1,3})to", r"can \1"),
        (r"(?:am i|are we) (?:able|allowed|permitted) to|may i", "can i"),
        (r"(?:at |by |in |on )?(?:what|which) (?:time|day|date|year|month) (?=is|was|are|were|do|does|did|will|should|can)", "when "),
        (r"when (is|was) (?=the best time)", r"what \1 "),
        (r"when should (?:i|we|you|one) visit", "what is the best time to visit"),
        (r"(?:what|which) (?:is|was) the (?:reason|cause)s? (?:that|why|for|behind)|how come|for what reason", "why"),
        (r"what (?:makes|is making|made)", "why"),
        (r"where (?:can|could|do|would|should) (?:i|we|you|one) (?:find|get to|see|locate)", "where is"),
        (r"(?:what|which) is the location of", "where is"),
        (r"(?:what|who) is the (?:author|writer) of|who authored", "who wrote"),
        (r"how much (?:do|does|did|will|would) (.+?) (?:cost|costs)", r"price \1"),
        (r"how expensive (?:is|are)|how much (?:is|are)(?= the| a| an| my)", "price"),
        (r"how many people (?:live|are living|are there) in|how many people does", "population"),
        (r"(?:what|which) (?:is|are|was) the (?:total )?(?:number|count) of|how many", "count of"),
        (r"how (?:tall|high) (?:is|are|was)", "height"),
        (r"how old (?:is|are|was)", "age"),
        (r"how (?:big|large) (?:is|are|was)", "size"),
        (r"how far (?:away )?(?:is|are|was)", "distance from"),
        (r"how (?:long|many days|much time) (?:do|does|did|will|would) (.+?) take", r"duration \1"),
        (r"(?:what|which) (?:does|do|did) (.+?) (?:stand for|mean)", r"mean \1"),
        (r"(?:what|which) is (?:the )?(?:meaning|definition|full form) of|define", "mean"),
        (r"tell me about|tell me|give me|provide|provide me with|explain to me|explain|describe|what about|about", ""),
        (r"how .* (?:is|are|was) it is", "how"),
    )
)
_CONTRACTIONS: Final = (
    (re.compile(r"\b(can|could|would|should|do|does|did|is|are|was|were|has|have|had|must|need)n't\b"), r"\1 not"),
    (re.compile(r"\bcannot\b|\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\b(what|who|where|when|how|why|it|that|there|here|he|she)'s\b"), r"\1 is"),
    (re.compile(r"\b(\w+)'re\b"), r"\1 are"),
    (re.compile(r"\b(\w+)'ve\b"), r"\1 have"),
    (re.compile(r"\b(\w+)'ll\b"), r"\1 will"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\b(\w+)'d\b"), r"\1 would"),
)

_EMPTY: Final = frozenset(
    "a an the is are be been being am was were do does did done doing has have had having will would can could get got "
    "i you we they he she it me my mine your yours our ours their theirs his her hers its us them one myself yourself "
    "that there what which any and of s to in on at for with as".split()
)
_WEAK: Final = frozenset("of to in on at for with as".split())
_STRONG: Final = frozenset("from into than by before after without against until over under above below between off out through".split())
_BREAK: Final = frozenset(". , ? ! ; :".split()) | {"how", "what", "which", "when", "where", "why", "who", "is", "are", "do", "does", "did", "can", "will"}
_ASKS: Final = frozenset("is are am was were do does did can could will would has have had may".split())
_PERSONS: Final = {
    **dict.fromkeys("me my mine us our ours myself".split(), "first"),
    **dict.fromkeys("your yours yourself".split(), "second"),
    **dict.fromkeys("he him his".split(), "he"),
    **dict.fromkeys("she her hers".split(), "she"),
    **dict.fromkeys("their theirs them".split(), "they"),
}
_PAST: Final = frozenset("was were did had".split())
_PRESENT: Final = frozenset("is are am do does can could will would should has have may must".split())
_NEGATIONS: Final = frozenset("not no never without nobody nothing none neither nor".split())


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is left of a question once its wording is taken off."""

    quoted: tuple[str, ...]
    words: tuple[str, ...]
    phrases: tuple[tuple[str, tuple[str, ...]], ...]
    movable: frozenset[str]
    persons: frozenset[str]
    past: bool


def meaning(question: str) -> Meaning:
    """The content of one question. A pure function; takes some hundred microseconds for a sentence."""
    quoted = tuple(next(filter(None, match.groups()), "") for match in _QUOTED.finditer(question))
    text = _spell(_QUOTED.sub(" QUOTED ", question.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
    for pattern, other in _REWRITE:
        text = pattern.sub(f" {other} ", text)
    tokens = _unify(_TOKEN.findall(text))

    words: list[str] = []
    phrases: list[tuple[str, list[str]]] = []
    movable: set[str] = set()
    open_phrase: list[str] | None = None
    first = next((token for token in tokens if token not in _BREAK - _ASKS), "")
    if first in _ASKS:
        words.append("yes or no")
    for token in tokens:
        if token == "'s":
            movable.update(words[-1:])
        elif token in _BREAK:
            open_phrase = None
        if token in _WEAK or token in _STRONG:
            open_phrase = []
            phrases.append((token, open_phrase))
        if token in _BREAK - {"how", "when", "where", "why", "who"} or token in _EMPTY or token == "'s":
            continue
        words.append(token)
        if open_phrase is not None:
            open_phrase.append(token)
            if phrases[-1][0] in _WEAK:
                movable.add(token)

    persons = {_PERSONS[token] for token in tokens if token in _PERSONS}
    if first in _ASKS:
        persons |= {"subject " + token for token in tokens[1:3] if token in ("i", "you")}
    has_helper = any(token in _PRESENT for token in tokens)
    past = any(token in _PAST for token in tokens) or (not has_helper and any(_is_past(token) for token in text.split()))
    return Meaning(
        quoted,
        tuple(words),
        tuple((preposition, tuple(bound)) for preposition, bound in phrases if bound),
        frozenset(movable),
        frozenset(persons),
        past,
    )


def difference(one: Meaning, other: Meaning) -> str | None:
    """Why two questions may have different answers, in a word that quotes neither; None where they ask the same."""
    if one.quoted != other.quoted:
        return "quoted text"
    left, right = Counter(one.words), Counter(other.words)
    if unmatched := (left - right) + (right - left):
        if any(word in _NEGATIONS for word in unmatched):
            return "negation"
        return "number" if any(word[0].isdigit() for word in unmatched) else "words"
    movable = one.movable | other.movable
    if [w for w in one.words if w not in movable] != [w for w in other.words if w not in movable]:
        return "order"
    if _bound(one, other) != _bound(other, one):
        return "roles"
    if _conflict(one.persons, other.persons):
        return "person"
    return "tense" if one.past != other.past else None


def _bound(one: Meaning, other: Meaning) -> list[tuple[str, tuple[str, ...]]]:
    """What the prepositions that both questions use govern in the first."""
    shared = {preposition for preposition, _ in one.phrases} & {preposition for preposition, _ in other.phrases}
    return sorted(phrase for phrase in one.phrases if phrase[0] in shared)


def _conflict(one: frozenset[str], other: frozenset[str]) -> bool:
    for kind in ("subject ", ""):
        left, right = ({person for person in side if person.startswith("subject ") == bool(kind)} for side in (one, other))
        if left and right and left != right:
            return True
    return False


def _spell(text: str) -> str:
    """Lower case but for capitals that would be lost as empty words (US, IT, A), contractions opened, one space."""
    shouted = text.isupper()
    words = []
    for number, word in enumerate(text.split()):
        bare = word.strip(".,?!;:()")
        keep = bare.isupper() and bare.lower() in _EMPTY | {"who"} and bare != "I" and not shouted and number > 0
        words.append(word if keep or bare == "QUOTED" else word.lower())
    text = " ".join(words)
    for pattern, other in _CONTRACTIONS:
        text = pattern.sub(other, text)
    text = re.sub(r"(\d),(\d{3})(?!\d)", r"\1\2", text)
    for symbol, name in _SYMBOLS.items():
        text = text.replace(symbol, f" {name} ")
    return re.sub(r"(?<=[^\W\d])-(?=\w)", " ", text)


def _unify(tokens: list[str]) -> list[str]:
    """Numbers as digits, endings off, then the longest phrases that have a synonym replaced."""
    stems = [_stem(_NUMBERS.get(token, token)) for token in tokens]
    table, longest = _synonyms()
    unified: list[str] = []
    start = 0
    while start < len(stems):
        for length in range(min(longest, len(stems) - start), 0, -1):
            found = table.get(tuple(stems[start : start + length]))
            if found is not None:
                unified.extend(found)
                start += length
                break
        else:
            unified.append(stems[start])
            start += 1
    return unified


@cache
def _synonyms() -> tuple[dict[tuple[str, ...], tuple[str, ...]], int]:
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in files("legacy_pipeline").joinpath("synonyms.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            group = [tuple(_stem(_NUMBERS.get(word, word)) for word in phrase.split()) for phrase in line.split(", ")]
            table.update({phrase: group[0] for phrase in group})
    return table, max(map(len, table))


@cache
def _stem(word: str) -> str:
    """Plural, -ing and -ed taken off. Two words get the same stem rarely, and then by chance."""
    if len(word) < 4 or not word.isalpha() or word in _EMPTY:
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and re.search("[aeiouy]", base):
            if base[-1] == base[-2] and base[-1] not in "sz":
                base = base[:-1]
            word = base
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _is_past(word: str) -> bool:
    return len(word) > 4 and word.endswith("ed") and not word.endswith("eed")
