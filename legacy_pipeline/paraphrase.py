"""Do two questions ask the same? Vectors cannot tell ("turn on" is close to "turn off"), so words decide.

A question is reduced to its content: contractions opened, numbers in one spelling, politeness and the many ways to
begin a question taken off, endings and synonyms unified. Two questions are the same only if nothing is left over on
either side and the rest stands in the same roles. So a difference of any kind that is not known to be harmless (a
negation, an opposite, a number, a name, a unit, a date) keeps them apart, and no list of opposites can be incomplete.
The price: a paraphrase in words that `synonyms.txt` does not know is refused. English only: text in other languages
matches where its words are equal. Not for a last message that is material to work on, a text to correct or to
classify: there the wording is the question (`semantic.py` is told for which tasks it is not).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in text.split())


_TOKEN: Final = re.compile(
    r"""\d+(?:[.,:/-]\d+)*        # a number, a date, a time, a version
      | (?<![\w)])-(?=[\d.])      # a minus sign
      | [^\W\d_]+(?:\+\+|\#)?     # a word; C++ and C#, too
      | 's\b
      | [^\w\s"'-]                # each other sign by itself
    """,
    re.VERBOSE,
)
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|(?<!\w)'([^']*)'(?!\w)|`([^`]*)`")
_QUOTE: Final = "QUOTE"
_STOPS: Final = frozenset(".,?!;:")

_DIGITS: Final = _pairs(
    "zero:0 one:1 two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 eleven:11 twelve:12 thirteen:13 "
    "fourteen:14 fifteen:15 sixteen:16 seventeen:17 eighteen:18 nineteen:19 twenty:20 thirty:30 forty:40 fifty:50 "
    "hundred:100 thousand:1000 dozen:12"
)
_SIGNS: Final = {"$": " dollar ", "€": " euro ", "£": " gbp ", "%": " percent ", "&": " and "}
_IRREGULAR: Final = _pairs(
    "spoken:speak spoke:speak written:write wrote:write sold:sell paid:pay sent:send found:find made:make built:build "
    "taken:take took:take given:give gave:give bought:buy broke:break forgotten:forget forgot:forget chosen:choose "
    "chose:choose grown:grow grew:grow won:win lost:lose went:go gone:go saw:see seen:see came:come began:begin "
    "begun:begin ran:run wore:wear worn:wear drew:draw drawn:draw knew:know known:know told:tell said:say held:hold "
    "led:lead met:meet spent:spend taught:teach caught:catch fell:fall fallen:fall"
)

_CONTRACTIONS: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\b(?:cannot|can't)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\b(could|would|should|do|does|did|is|are|was|were|has|have|had|must|need)n't\b", r"\1 not"),
        (r"\b(what|who|where|when|how|why|it|that|there|here|he|she)'s\b", r"\1 is"),
        (r"\b(\w+)'re\b", r"\1 are"),
        (r"\b(\w+)'ve\b", r"\1 have"),
        (r"\b(\w+)'ll\b", r"\1 will"),
        (r"\b(\w+)'d\b", r"\1 would"),
        (r"\bi'm\b", "i am"),
    )
)

# The many ways to begin the same question, tried in this order on lower-case text without contractions.
_ANYBODY: Final = r"(?:i|we|you|one|someone|somebody|people)"
_FINE: Final = r"(?:possible|okay|ok|fine|allowed|permitted|acceptable)"
_HELPER: Final = r"(?:is|are|was|were|do|does|did|will|would|should|can|could)"
_WAY: Final = r"(?:ways?|methods?|process|procedure|steps?|instructions?)"
_BEST: Final = r"(?:best|right|correct|proper)"
_REWRITES: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^(?:hi|hello|hey)(?: there| all| team)?\b[ ,.!]*", ""),
        (r"\b(?:please|kindly|thank you|thanks|actually|exactly|currently|right now|considered)\b", ""),
        (r"\b(?:on|in|for|of|from|with) (?:my|our) account\b", ""),
        (
            r"^(?:can|could|would|will) you +(?:help me(?: to| with)?|tell|show|explain|teach|give|let)"
            r"(?: to)?(?: me| us)?(?: know)?(?: about)?\b",
            "",
        ),
        (r"^(?:i|we) (?:want|need|would like|wish) to (?:know|find out|understand|learn)(?: about)?\b", ""),
        (r"^(?:i am wondering|i was wondering|i wonder|do you know|any idea|let me know|help me understand)\b", ""),
        (r"^(?:i|we) (?:have )?(?:forgot|forgotten|lost) ((?:my|our) \w+)[ ,.]+(?:and )?(how .*reset) it\b", r"\2 \1"),
        (r"^(?:can|could|would|will) you (?=check|calculate|compute|list|write|translate|summari|find|look up)", ""),
        (
            rf"(?:^ *|\b)(?:(?:what|which) (?:is|are)|tell me|show me|give me|explain|describe)? *"
            rf"(?:the |a |an |some )?(?:{_BEST} )?{_WAY} (?:to|for|of|involved in)\b",
            " how ",
        ),
        (r"^ *is there (?:(?:a|any|some) )?how\b", "how"),
        (rf"\bwhat (?:do|does|should|must|can|could) {_ANYBODY} (?:need |have )?(?:to )?do (?:in order )?to\b", "how"),
        (rf"\bhow (?:do|does|did|can|could|would|should|might) {_ANYBODY}\b(?: go about)?", "how"),
        (r"^ *(?:i|we) (?:want|need|would like|wish|am trying|are trying|am looking) to\b", "how"),
        (r"^ *(?:i|we) (?:need|want) (?:some )?help(?: to| with| in)?\b", "how"),
        (r"\bhow to\b", "how"),
        (r"\b(?:have|has|need|needs) to\b", "must"),
        (r"\b(?:get|got|getting) (?=\w+ed\b)", "be "),
        (r"\busing\b", "with"),
        (r"\b(turn|switch) ((?:\w+ ){1,3}?)(on|off)\b", r"\1 \3 \2"),
        (rf"^ *is it {_FINE}(?: for {_ANYBODY})? to\b", "can i"),
        (rf"^ *is it {_FINE} (?:for|that) ((?:\w+ ){{1,3}}?)(?:to|can)\b", r"can \1"),
        (r"^ *(?:am i|are we) (?:able|allowed|permitted) to\b|^ *may i\b", "can i"),
        (rf"\b(?:at |by |in |on )?(?:what|which) (?:time|day|date|year|month) (?={_HELPER}\b)", "when "),
        (r"\bwhen (is|was) (?=the best time)", r"what \1 "),
        (rf"\bwhen should {_ANYBODY} visit\b", "what is the best time to visit"),
        (r"\b(?:what|when) (?:are|do) you open(?: and close)?\b|\bwhat time do you open and close\b", "opening hours"),
        (r"\b(?:what|which) (?:is|was) the reason(?: that| why| for)?\b|\bhow come\b|\bfor what reason\b", "why"),
        (r"\bwhat (?:makes|is making|made)\b", "why"),
        (rf"\bwhere (?:can|could|do|would|should) {_ANYBODY} (?:find|see|locate)\b", "where is"),
        (r"\bwhat is the location of\b", "where is"),
        (r"\b(where (?:is|are) .+?) located\b", r"\1"),
        (r"^ *(?:do|does) (?:i|we|you|one|it) need (.+?)(?= for\b| to\b|[ ?.]*$)", r"is \1 needed"),
        (r"^ *(?:is|are) (.+) included (?:in|with) (.+?)[ ?.]*$", r"does \2 include \1"),
        (
            r"^ *(?:is|are) (.+?) (safe|unsafe|dangerous|healthy|unhealthy|good|bad|legal|illegal) to (\w+)[ ?.]*$",
            r"is it \2 to \3 \1",
        ),
        (r"^(.+?) (?:is|was|were) (\w+) by whom?[ ?.]*$", r"who \2 \1"),
        (r"\bhow (?:do|does|is|are) (.+?) (?:differ|different) from\b", r"what is the difference between \1 and"),
        (r"\bhow (?:do|are) (.+?) (?:differ|different)\b", r"what is the difference between \1"),
        (r"\bhow far (?:away )?(?:is|are) (.+?) (?:from|to)\b", r"what is the distance between \1 and"),
        (r"\bdistance from (.+?) to\b", r"distance between \1 and"),
        (r"\bhow is the (?=weather)", "what is the "),
        (r"\bweather like\b", "weather"),
        (r"\bwho is the (?:author|writer) of\b", "who wrote"),
        (r"\bhow much (?:do|does|did|will|would) (.+?) costs?\b", r"price \1"),
        (r"\bwhat (?:do|does|did|will|would) (.+?) costs?\b", r"price \1"),
        (r"\bhow expensive (?:is|are)\b|\bhow much (?:is|are)(?= the | a | an | my )", "price"),
        (r"\bhow many people (?:live|are living|are there)\b", "population"),
        (r"\bwhat is the (?:total )?number of\b|\bhow many\b", "how many"),
        (r"\bhow (?:tall|high) (?:is|are|was)\b", "height"),
        (r"\bhow old (?:is|are|was)\b", "age"),
        (r"\bhow (?:big|large) (?:is|are|was)\b", "size"),
        (r"\bhow (?:long|many days|much time) (?:do|does|did|will|would) (.+?) take\b", r"how long \1"),
        (r"\bwhat (?:does|do|did) (.+?) (?:stand for|mean)\b", r"mean \1"),
        (r"\b(?:what is )?the (?:meaning|definition|full form) of\b", "mean"),
        (r"\bhow say (.+) in\b", r"translate \1 in"),
        (rf"\bwhat is {_QUOTE} in\b", rf"translate {_QUOTE} in"),
        (r"\btranslate (.+) (?:to|into)\b", r"translate \1 in"),
        (
            r"^ *(?:tell me about|tell me|give me|provide me with|provide|explain to me|explain|describe|define|name|"
            r"check|calculate|compute|what about)\b",
            "",
        ),
        (r"^ *([^\W\d_]+) ?: *(.+?)[ ?.]*$", r"\2 in \1"),
    )
)

_EMPTY: Final = _words(
    "a an the is are be been being am was were will would can could do does did done doing has have had having "
    "i you we they he she it me my mine your yours our ours their theirs his him her hers its us them one "
    "that there what which any and of s to in on at for with as between"
)
_ASKING: Final = _words("how when where why who whose whom")
_LOOSE: Final = _words("of to in on at for with as between")
"""Prepositions that may come and go ("capital of France", "France's capital"); all others are words that count."""
_STRICT: Final = _words("from into onto than by before after without against until over under above below off out")
_HELPERS: Final = _words("is are am was were do does did can could will would has have had should must")
_BREAKS: Final = _STOPS | _ASKING | _HELPERS | {"what", "which", "today", "tomorrow", "yesterday", "tonight", "now"}
_PLAIN: Final = _EMPTY | _BREAKS | _LOOSE | _STRICT | {"not", "this", "has", "yes"}
_PERSONS: Final = _pairs(
    "me:first my:first mine:first us:first our:first ours:first your:second yours:second he:he him:he his:he she:she "
    "her:she hers:she their:they theirs:they them:they"
)
_PAST: Final = _words("was were did had")
_ABOUT_WORDING: Final = _words(
    "translate translation rewrite rephrase paraphrase reword proofread grammar grammatical spell spelling spelled "
    "pronounce tone sentiment polite rude classify label plural singular tense word words sentence letter letters "
    "rhyme rhymes uppercase lowercase"
)
"""Questions with one of these may be about their own wording, which is then kept as it is."""
_NEGATIONS: Final = _words("not no never without nobody nothing none neither nor")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is left of a question once its wording is taken off.

    `phrases` holds each preposition with the words that it governs. `movable` words may stand elsewhere in a
    paraphrase ("in Python, reverse a list"), all others keep their order.
    """

    quoted: tuple[str, ...]
    words: tuple[str, ...]
    phrases: tuple[tuple[str, tuple[str, ...]], ...]
    movable: frozenset[str]
    persons: frozenset[str]
    asker: frozenset[str]
    past: bool


def meaning(question: str) -> Meaning:
    """The content of one question. A pure function; some hundred microseconds for a sentence."""
    quoted = tuple(next(filter(None, match.groups()), "") for match in _QUOTED.finditer(question))
    text = _spelt(_QUOTED.sub(f" {_QUOTE} ", question.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
    about_wording = not quoted and not _ABOUT_WORDING.isdisjoint(_TOKEN.findall(text))
    if about_wording or "\n" in question.strip():
        return Meaning((question.strip(),), (), (), frozenset(), frozenset(), frozenset(), past=False)
    for pattern, other in _REWRITES:
        text = " ".join(pattern.sub(other, text).split())
    raw = _TOKEN.findall(text)
    tokens = _unified(raw)
    first = next((token for token in tokens if token not in _STOPS), "")

    words: list[str] = ["yes or no"] if first in _HELPERS else []
    words += ["will"] if first in ("will", "would") else []
    phrases: list[tuple[str, list[str]]] = []
    movable: set[str] = set()
    governed: list[str] | None = None
    owner = 0
    for word, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if word == "'s":
            movable.update(words[owner:] if len(words) - owner <= 2 else words[-1:])
            continue
        if word in _BREAKS:
            governed, owner = None, len(words)
        elif word in _LOOSE or word in _STRICT:
            governed, owner = [], len(words)
            phrases.append((word, governed))
        if word in _EMPTY or word in _STOPS or word in _HELPERS - {"should", "must"}:
            continue
        words.append(f"only {following}" if word == "only" else word)
        if governed is not None and word not in _STRICT:
            governed.append(word)
            if phrases[-1][0] in _LOOSE:
                movable.add(word)

    return Meaning(
        quoted=quoted,
        words=tuple(words),
        phrases=tuple((name, tuple(sorted(governs) if name == "between" else governs)) for name, governs in phrases),
        movable=frozenset(movable),
        persons=frozenset(_PERSONS[token] for token in tokens if token in _PERSONS),
        asker=frozenset(tokens[1:2]) & {"i", "you"} if first in _HELPERS else frozenset(),
        past=any(map(_is_past, raw)) if not _HELPERS & set(tokens) else bool(_PAST & set(tokens)),
    )


def difference(one: Meaning, other: Meaning) -> str | None:
    """Why two questions may have different answers, in a word that quotes neither; None where they ask the same."""
    if one.quoted != other.quoted:
        return "quoted text"
    left, right = Counter(one.words), Counter(other.words)
    if unmatched := (left - right) + (right - left):
        if not _NEGATIONS.isdisjoint(unmatched):
            return "negation"
        return "number" if any(word[0].isdigit() for word in unmatched) else "words"
    movable = one.movable & other.movable if one.movable and other.movable else one.movable | other.movable
    if [word for word in one.words if word not in movable] != [word for word in other.words if word not in movable]:
        return "order"
    if not _same_roles(one, other):
        return "roles"
    if any(a and b and a != b for a, b in ((one.persons, other.persons), (one.asker, other.asker))):
        return "person"
    return "tense" if one.past != other.past else None


def _same_roles(one: Meaning, other: Meaning) -> bool:
    """Whether a preposition that both use governs the same in both, as far as the one that uses it less goes."""
    left, right = Counter(one.phrases), Counter(other.phrases)
    only_left = {preposition for preposition, _ in left - right}
    only_right = {preposition for preposition, _ in right - left}
    return only_left.isdisjoint(only_right)


def _spelt(text: str) -> str:
    """Lower case, but for capitals that would be taken for empty words (US, IT); contractions opened; signs named."""
    shouting = text.isupper()
    words = []
    for number, word in enumerate(text.split()):
        bare = word.strip(".,?!;:()")
        is_name = bare.isupper() and bare.lower() in _EMPTY and bare != "I" and number > 0 and not shouting
        words.append(word if is_name or bare == _QUOTE else word.lower())
    text = " ".join(words)
    for pattern, other in _CONTRACTIONS:
        text = pattern.sub(other, text)
    text = re.sub(r"([$€£]) ?(\d[\d.,]*)", r"\2 \1", text)
    for sign, name in _SIGNS.items():
        text = text.replace(sign, name)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=[^\W\d])-(?=\w)", " ", text)


def _unified(tokens: list[str]) -> list[str]:
    """Endings taken off, then the longest phrases that have a synonym replaced."""
    stems = [_stem(token) for token in tokens]
    table, longest = _synonyms()
    unified: list[str] = []
    start = 0
    while start < len(stems):
        for length in range(min(longest, len(stems) - start), 0, -1):
            if found := table.get(tuple(stems[start : start + length])):
                unified.extend(found)
                start += length
                break
        else:
            unified.append(stems[start])
            start += 1
    return unified


@cache
def _synonyms() -> tuple[dict[tuple[str, ...], tuple[str, ...]], int]:
    """Each phrase and what stands for it, both as stems, and the length of the longest phrase in words."""
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in files("legacy_pipeline").joinpath("synonyms.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            group = [tuple(map(_stem, _TOKEN.findall(phrase))) for phrase in line.split(", ")]
            table.update(dict.fromkeys(group, group[0]))
    return table, max(map(len, table))


def _stem(word: str) -> str:
    """Numbers as digits; plural, -ing, -ed and the mute e or the double letter before them taken off."""
    word = _IRREGULAR.get(word, _DIGITS.get(word, word))
    if len(word) < 4 or not word.isalpha() or word in _PLAIN or word == _QUOTE:
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and not word.endswith("eed") and len(base) >= 3 and re.search("[aeiouy]", base):
            word = base
            break
    word = word[:-1] if len(word) > 4 and word.endswith("e") else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious" else word


def _is_past(word: str) -> bool:
    return word in _IRREGULAR or (len(word) > 4 and word.endswith("ed") and not word.endswith("eed"))
