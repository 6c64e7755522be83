"""Do two questions ask the same? Vectors cannot tell ("turn on" is close to "turn off"), so words decide.

A question is reduced to its content: contractions opened, numbers in one spelling, politeness and the many ways to
begin a question taken off, endings and synonyms unified. Two questions are the same only if the same words are left in
the same order, prepositions and pronouns among them. So a difference of any kind that is not known to be harmless (a
negation, an opposite, a number, a name, a unit, a date, two that changed places) keeps them apart, and no list of
opposites can be incomplete. Nothing may move but what a rule below moves as a whole ("in Python, how ...", "France's
capital"): nobody can tell from words which of two names belongs to which of two times. The price: a paraphrase in
another order, or in words that `synonyms.txt` does not know, is refused. English only: text in other languages matches
where its words are equal. Not for a last message that is material to work on, a text to correct or to classify: there
the wording is the question (`semantic.py` is told for which tasks it is not).
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
_ANYBODY: Final = r"(?:i|we|one|someone|somebody|people)"
_FINE: Final = r"(?:okay|ok|fine|allowed|permitted|acceptable)"
_WAY: Final = r"(?:ways?|methods?|process|procedure|steps?|instructions?)"
_BEST: Final = r"(?:best|right|correct|proper)"
_REWRITES: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^(?:hi|hello|hey)(?: there| all| team)?\b[ ,.!]*", ""),
        (r"\b(?:please|kindly|thank you|thanks|actually|exactly|currently|right now|considered)\b", ""),
        (r"\bon (?:my|our) account\b", ""),
        (
            r"^(?:can|could|would|will) you +(?:help me(?: to| with)?|explain(?: to (?:me|us))?|"
            r"(?:tell|show|teach|give) (?:me|us)|let (?:me|us) know)(?: about)?\b",
            "",
        ),
        (r"^((?:in|on|with) [\w ]+?), *((?:how|what|which|why|where|when|who)\b.+?)[ ?.]*$", r"\2 \1"),
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
        (rf"\bhow (?:do|does|can|could|would|should|might) {_ANYBODY}\b(?: go about)?", "how"),
        (r"^ *(?:i|we) (?:want|need|would like|wish|am trying|are trying|am looking) to\b", "how"),
        (r"^ *(?:i|we) (?:need|want) (?:some )?help(?: to| with| in)?\b", "how"),
        (r"\bhow to\b", "how"),
        (r"\b(?:have|has|need|needs) to\b", "must"),
        (r"\b(?:update|edit) (?=(?:my|our|the) (?:\w+ )?(?:address|email|info\w*|details|name|number)\b)", "change "),
        (r"^ *(?:can you )?summari[sz]e\b", "summary of"),
        (r"^ *(?:do|does) (\w+|(?:the|my|your) \w+) must\b", r"must \1"),
        (r"\b(?:get|got|getting) (?=\w+ed\b)", "be "),
        (r"\busing\b", "with"),
        (r"\b(turn|switch) ((?:\w+ ){1,3}?)(on|off)\b", r"\1 \3 \2"),
        (r"^ *is it possible(?: for (?:me|us|people))? to\b|^ *(?:am i|are we) able to\b", "can i"),
        (rf"^ *is it {_FINE}(?: for (?:me|us|people))? to\b|^ *(?:am i|are we) (?:allowed|permitted) to\b", "may i"),
        (
            r"\b(?:at |in |on )?(?:what|which) "
            r"(?:time (?=does\b|do\b)|day (?=is (?!it\b))|year (?=did\b|was\b|were\b))",
            "when ",
        ),
        (r"\bwhen (is|was) (?=the best time)", r"what \1 "),
        (rf"\bwhen should {_ANYBODY} visit\b", "what is the best time to visit"),
        (r"\bwhen (?:are you open|do you open and close)\b", "your opening hours"),
        (r"\b(?:what|which) is the reason(?: that| why| for)?\b|\bhow come\b|\bfor what reason\b", "why"),
        (r"\bwhat is making\b", "why"),
        (rf"\bwhere (?:can|could|do|would|should) {_ANYBODY} (?:find|locate)\b", "where is"),
        (r"\bwhat is the location of\b", "where is"),
        (r"\b(where (?:is|are) .+?) located\b", r"\1"),
        (r"^ *(?:do|does) (?:i|we|one) need (.+?)(?= for\b| to\b|[ ?.]*$)", r"is \1 needed"),
        (r"^ *(?:is|are) (.+) included (?:in|with) (.+?)[ ?.]*$", r"does \2 include \1"),
        (
            r"^ *(?:is|are) (.+?) (safe|unsafe|dangerous|healthy|unhealthy|good|bad|legal|illegal) "
            r"to (eat|drink|use|buy|touch)[ ?.]*$",
            r"is it \2 to \3 \1",
        ),
        (r"^(.+?) (?:was|were) (\w+) by whom?[ ?.]*$", r"who \2 \1"),
        (r"\bhow (?:do|does|is|are) (.+?) (?:differ|different) from\b", r"what is the difference between \1 and"),
        (r"\bhow (?:do|are) (.+?) (?:differ|different)\b", r"what is the difference between \1"),
        (r"\bhow far (?:away )?(?:is|are) (.+?) (?:from|to)\b", r"what is the distance between \1 and"),
        (r"\bdistance from (.+?) to\b", r"distance between \1 and"),
        (r"\bhow is the (?=weather)", "what is the "),
        (r"\bweather like\b", "weather"),
        (r"\bwho is the (?:author|writer) of\b", "who wrote"),
        (r"\bhow much (?:do|does) (.+?) costs?\b", r"price of \1"),
        (r"\bwhat (?:do|does) (.+?) costs?\b", r"price of \1"),
        (r"\bhow expensive (?:is|are)\b|\bhow much (?:is|are)(?= the | a | an | my )", "price of"),
        (r"\bhow many people (?:live|are living|are there) in\b", "population of"),
        (r"\bwhat is the (?:total )?number of\b|\bhow many\b", "how many"),
        (r"\b(how many \w+) (?:do|does) ([^,;:]+) have[ ?.]*$", r"\1 are in \2"),
        (
            r"^((?:what|who|where|when|which \w+) (?:is|are|was|were) |)(?:the )?(\w+(?: \w+)?)'s (\w+)[ ?.]*$",
            r"\1\3 of \2",
        ),
        (r"\bon (?=(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b)", ""),
        (r"\bhow tall (?:is|are)\b", "height of"),
        (r"\bhow old (?:is|are)\b", "age of"),
        (r"\bhow (?:big|large) (?:is|are)\b", "size of"),
        (r"\bhow (?:long|many days|much time) (?:do|does) (.+?) take\b", r"how long \1 take"),
        (r"\bwhat (?:does|do) (.+?) (?:stand for|mean)\b", r"mean \1"),
        (r"\b(?:what is )?the (?:meaning|definition|full form) of\b", "mean"),
        (r"\bhow (?:do you )?say (.+) in\b", r"translate \1 in"),
        (rf"\bwhat is {_QUOTE} in\b", rf"translate {_QUOTE} in"),
        (r"\btranslate (.+) (?:to|into)\b", r"translate \1 in"),
        (
            r"^ *(?:tell me about|tell me|give me|provide me with|provide|explain to me|explain|define|"
            r"check (?=the status)|(?:calculate|compute)(?=.* \d))\b",
            "",
        ),
        (r"^ *([^\W\d_]+) ?: *(.+?)[ ?.]*$", r"\2 in \1"),
        (r"\b(what|who) (do|does|did|can|could|should|would)\b", r"\1 thing \2"),
        (
            rf"\b(is|are|was|were|be|been|being) ((?:\w+ ){{0,3}}?)(\w+ed|{'|'.join(_IRREGULAR)})\b",
            r"\1 \2passive \3",
        ),
    )
)

_EMPTY: Final = _words(
    "a an the is are be am was were being been do does did done doing it its that there what which any"
)
_PRONOUNS: Final = _pairs(
    "i:i me:i we:i us:i you:you my:my mine:my our:my ours:my your:your yours:your he:he him:he his:he she:she her:she "
    "hers:she they:they them:they their:they theirs:they"
)
_OWNERS: Final = frozenset({"my", "your"})
_BEING: Final = _words("is are am was were")
_DOING: Final = _words("do does did")
_HELPERS: Final = _BEING | _DOING | _words("can could will would has have had should must")
_PAST: Final = _words("was were did had")
_ABOUT_WORDING: Final = _words(
    "translate translation rewrite rephrase paraphrase reword proofread grammar grammatical spell spelling spelled "
    "pronounce tone sentiment polite rude classify label plural singular tense word words sentence letter letters "
    "rhyme rhymes uppercase lowercase"
)
"""Questions with one of these may be about their own wording, which is then kept as it is."""
_FOCUS: Final = _words("only just even")
"""What follows is kept with these even where it is empty: "only I can see", "I can only see"."""
_NEGATIONS: Final = _words("not no never without nobody nothing none neither nor")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is left of a question once its wording is taken off; `is_how` where it asks for a way to do something."""

    quoted: tuple[str, ...]
    words: tuple[str, ...]
    is_how: bool
    past: bool

    @property
    def unowned(self) -> tuple[str, ...]:
        """The words without "my" and "your"; equal wherever two questions can be the same."""
        return tuple(word for word in self.words if word not in _OWNERS)


def meaning(question: str) -> Meaning:
    """The content of one question. A pure function; some hundred microseconds for a sentence."""
    quoted = tuple(next(filter(None, match.groups()), "") for match in _QUOTED.finditer(question))
    text = _spelt(_QUOTED.sub(f" {_QUOTE} ", question.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
    about_wording = not quoted and not _ABOUT_WORDING.isdisjoint(_TOKEN.findall(text))
    if about_wording or "\n" in question.strip():
        return Meaning((question.strip(),), (), is_how=False, past=False)
    for pattern, other in _REWRITES:
        text = " ".join(pattern.sub(other, text).split())
    raw = _TOKEN.findall(text)
    tokens = [token for token in _unified(raw) if token not in _STOPS]
    first = tokens[0] if tokens else ""

    words = ["is it"] if first in _BEING else ["does it"] if first in _DOING else []
    for word, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if word not in _EMPTY:
            words.append(f"{word} {following}" if word in _FOCUS else _PRONOUNS.get(word, word))
    return Meaning(
        quoted=quoted if words else (question.strip(),),
        words=tuple(words),
        is_how=first == "how" and _HELPERS.isdisjoint(tokens),
        past=any(map(_is_past, raw)) if _HELPERS.isdisjoint(tokens) else not _PAST.isdisjoint(tokens),
    )


def difference(one: Meaning, other: Meaning) -> str | None:
    """Why two questions may have different answers, in a word that quotes neither; None where they ask the same."""
    if one.quoted != other.quoted:
        return "quoted text"
    left, right = one.words, other.words
    if one.is_how and other.is_how and (left == one.unowned or right == other.unowned):
        left, right = one.unowned, other.unowned  # how to track "my order", "an order"
    if left != right:
        unmatched = (Counter(left) - Counter(right)) + (Counter(right) - Counter(left))
        if not _NEGATIONS.isdisjoint(unmatched):
            return "negation"
        if any(word[0].isdigit() for word in unmatched):
            return "number"
        if unmatched:
            return "person" if unmatched.keys() <= set(_PRONOUNS.values()) else "words"
        return "order"
    return "tense" if one.past != other.past else None


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
    """Numbers as digits; plural, -ing and the mute e or the double letter before them taken off."""
    word = _IRREGULAR.get(word, _DIGITS.get(word, word))
    if len(word) < 4 or not word.isalpha() or word in _EMPTY | _HELPERS or word == _QUOTE:
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    base = word.removesuffix("ing")
    if len(base) >= 3 and re.search("[aeiouy]", base):
        word = base
    word = word[:-1] if len(word) > 4 and word.endswith("e") else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious" else word


def _is_past(word: str) -> bool:
    return word in _IRREGULAR or (len(word) > 4 and word.endswith("ed") and not word.endswith("eed"))
