"""Do two questions ask the same? Vectors cannot tell ("turn on" is close to "turn off"), so words decide.

A question is brought into one wording (`rewrites.py`, `wording.py`) and taken apart: the words that carry it, in order,
and beside them its signs, what is asked for, who is meant and in which case, what a direction, a time or an owner is
said of, when it is, and what is open or expected. Two questions are the same only if the same words are left in the
same order and nothing else speaks against it. So among the words that are left, a difference that is not known to be
harmless (a negation, an opposite, a number, a unit, two that changed places) keeps two questions apart without a list
of opposites. What is unified or left out rests on lists, and is as good as they are: synonyms, frames, words that say
nothing alone ("do", "there", "please"), and prepositions, which are compared as bindings unless they stand straight
after the verb: one that binds two words, or two that bind one word, are a difference. One thing may move, what stands
"in", "on", "at" or "for" something, and only if all else is in order: nobody can tell from words which of two names
belongs to which of two times.

The price: a paraphrase in another frame, in another order, or in words that `synonyms.txt` does not know, is refused.
English only: a text with letters of another language, or with its little words and none of English, matches only an
equal text. Not for a last message that is material to work on, a text to correct or to classify: there the wording is
the question (`semantic.py` is told for which tasks).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from legacy_pipeline.wording import (
    BEING,
    DOING,
    EMPTY,
    HELPERS,
    QUOTE,
    TOKEN,
    framed,
    is_foreign,
    is_past,
    names_of,
    pairs,
    signs,
    small_words,
    spelt,
    stem,
    unified,
    words,
)

_QUOTED: Final = re.compile(r"\"([^\"]*)\"|(?<!\w)'([^']*)'(?!\w)|`([^`]*)`")
_STOPS: Final = frozenset(".,?!;:")
_PRONOUNS: Final = pairs(
    "i:i me:me we:i us:me you:you my:my mine:my our:my ours:my your:your yours:your he:he him:him his:his she:she "
    "her:her hers:hers someon:someone somebody:someone they:they them:them their:their theirs:theirs"
)
_PAST: Final = words("was were did had")
_ABOUT_WORDING: Final = words(
    "translate translation rewrite rephrase paraphrase reword proofread grammar grammatical spell spelling spelled "
    "pronounce classify plural singular tense word words sentence sentences letter letters rhyme rhymes uppercase "
    "lowercase"
)
"""Questions with one of these may be about their own wording, which is then kept as it is."""
_ABOUT_TEXT: Final = words("tone sentiment polite rude label summarize summarise summary correct")
"""So may those with one of these and a colon, after which the text stands."""
_NOT_ABOUT_WORDING: Final = re.compile(
    r"\b(?:(?:cover|resignation|recommendation|reference|love|thank you) letters?|"
    r"(?:in|under|within) (?:\d+|one|two|three|four|five|ten|fifty) (?:words?|sentences?)|(?:one|two|three|four|five) "
    r"sentence(?= summary)|microsoft word|word document|(?:to|into|from) (?:a )?word(?= document|\W*$))\b"
)
_FOCUS: Final = words("only just even")
"""What follows is kept with these even where it is empty: "only I can see", "I can only see"."""
_NEGATIONS: Final = words("not no never without nobody nothing none neither nor")


_ASKS: Final = words("can may must should why who when wher possibl")
_WHEN: Final = words("whentim whenday whenyear")
"""Asked for by "what time", "what day", "what year": "when", a time only of opening and closing; no two are alike."""
_COUNTED: Final = words("many much long far often")
_BINDING: Final = words(
    "of for with through as from to into before after until since within per against than by over under about my your "
    "hav"
)
"""What stands after one of these is bound to it: two questions that bind other words are different questions."""
_DECISIVE: Final = words("before after until since within than by")
_PLACES: Final = words("in on at")
_HAVING: Final = "hav"
"""Stands for whose something is: "does the phone have a jack"."""
_LIGHT: Final = words(
    "us me him passiv progressiv perfect tobe thing to of in on at for from into with as via through during about by "
    "per and so if how why who when wher can could will would should must may might then please way possibl anyon "
    "there be hav"
).union(_PRONOUNS, _PRONOUNS.values(), _WHEN)
_ONLINE: Final = words(
    "enter track see view chang enabl disabl download check reset cancel delet submit upload export import edit add "
    "remov pay order buy book reserv updat manag renew activat set report apply register request"
)
"""Where to do this is how: both are answered by the same page."""
_ORDERING: Final = words("and or from to into than by against before after between if not without only with then")
"""Where one of these stands, nothing may move."""
_FREE: Final = _WHEN | {"", "how", "wher", "when", "why"}
"""Where these are asked for, something may."""
_EITHER: Final = words(
    "app site account phon computer pag screen menu shop hotel airport pdf excel python java javascript git docker "
    "linux ubuntu android chrom firefox window mac css html sql latex celsius fahrenheit cart photo internet wifi"
)
"""In, on or at these is one and the same, and in, on or at a name: "on Windows", "in Windows"."""
_OPEN: Final = frozenset({"how", "wher", "why"})
"""Where these are asked for, what can be and what is are one thing."""
_AFTER_VERB: Final = words("in on at for into with about by through to from as over off up down out")
"""Straight after the verb these may be part of it: "break in shoes"."""
_WITH_VERB: Final = words("how can may possibl must should thing who why")
"""Where these are asked for, a verb comes first."""
_MOVING: Final = words("in on at for")
_PAIRED: Final = words("differenc distanc similarity")
_MEASURES: Final = words("cup glass bottle piece box bag can slice pair pot bowl mug jar plate tank tin tub")
_PHRASAL: Final = words(
    "look+for look+at look+after ask+for pay+for wait+for call+for cal+for send+for care+for stand+for apply+to"
)
_ADDRESSED: Final = words("you your yours")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is left of a question once its wording is taken off.

    `signs` are "+", "!=" and the like; `core` are the words that carry it, in order; `asks` what for (why, when, how
    many, may I, ...), "" where that is plain; `bound` the words that a direction, a time or an owner is said of;
    `persons` who is meant; `tense` when, or that it must be; `mood` what is open to one or expected of one; `names` the
    words with a capital letter, `small` those without where there could be one and `forms` all words, each after its
    stem; `movable` what may stand elsewhere in a question (`is_question`).
    """

    quoted: tuple[str, ...]
    signs: tuple[str, ...] = ()
    core: tuple[str, ...] = ()
    asks: str = ""
    bound: frozenset[tuple[str, str]] = frozenset()
    persons: tuple[str, ...] = ()
    tense: str = ""
    mood: str = ""
    names: frozenset[tuple[str, str]] = frozenset()
    small: frozenset[tuple[str, str]] = frozenset()
    forms: frozenset[tuple[str, str]] = frozenset()
    movable: frozenset[tuple[str, ...]] = frozenset()
    is_question: bool = False

    @property
    def bag(self) -> tuple[str, ...]:
        """The words in no order: equal wherever two questions can be the same."""
        return tuple(sorted(self.core))


def meaning(question: str) -> Meaning:
    """The content of one question. A pure function; some hundred microseconds for a sentence."""
    quoted = tuple(next(filter(None, match.groups()), "") for match in _QUOTED.finditer(question))
    straight = question.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = spelt(_QUOTED.sub(f" {QUOTE} ", straight))
    if (not quoted and _is_about_wording(text)) or "\n" in question.strip() or is_foreign(question):
        return Meaning((question.strip(),))
    raw = TOKEN.findall(framed(text))
    tokens = [token for token in unified(raw) if token not in _STOPS]
    asks = _asks(tokens)
    core = _core(tokens, asks)
    names = names_of(question)
    return Meaning(
        quoted=quoted if core else (question.strip(),),
        signs=signs(_QUOTED.sub(QUOTE, straight)),
        core=core,
        asks=asks,
        is_question=asks != "" or tokens[:1] in (["what"], ["which"]),
        bound=_bound(tokens, asks, names),
        persons=_persons(tokens, asks, core),
        tense=_tense(raw, tokens, asks),
        mood=_mood(tokens, asks),
        names=names,
        small=small_words(question) if names or question[:1].isupper() else frozenset(),
        forms=frozenset((stem(word), word) for word in TOKEN.findall(text)),
        movable=_movable(tokens, core, asks),
    )


def difference(one: Meaning, other: Meaning) -> str | None:
    """Why two questions may have different answers, in a word that quotes neither; None where they ask the same."""
    if one.quoted != other.quoted:
        return "quoted text"
    asked = {one.asks, other.asks}
    asks_alike = _ask_alike(one, other)
    moved = one.core != other.core
    if moved and not (one.bag == other.bag and _reordered(one, other)):
        unmatched = (Counter(one.core) - Counter(other.core)) + (Counter(other.core) - Counter(one.core))
        if not _NEGATIONS.isdisjoint(unmatched):
            return "negation"
        if any(word[0].isdigit() for word in unmatched):
            return "number"
        if asks_alike:
            return "words" if unmatched else "order"
    if not asks_alike:
        return "what is asked for"
    if one.signs != other.signs:
        return "sign"
    if _differ_in_person(one, other, is_moved=moved):
        return "person"
    if _bound_otherwise(one, other):
        return "direction"
    if one.tense != other.tense:
        return "tense"
    moods = {one.mood, other.mood}
    if len(moods) > 1 and (moods != {"", "can"} or not asked <= _OPEN):
        return "possibility"
    return "name" if _named_otherwise(one, other) or _named_otherwise(other, one) else None


_SAME_ASKED: Final = ({"can", "may"}, {"can", "possibl"}, {"when", "whenday"}, {"when", "whenyear"})


def _ask_alike(one: Meaning, other: Meaning) -> bool:
    asked = {one.asks, other.asks}
    if asked == {"", "how"}:
        return not (one.is_question and other.is_question)  # "what is a budget", "how do I budget"
    if asked == {"how", "wher"}:
        return one.core[:1] == other.core[:1] and one.core[0] in _ONLINE
    if asked == {"when", "whentim"}:
        return not {"open", "clos"}.isdisjoint(one.core)  # elsewhere "when" may ask for the day
    return len(asked) == 1 or asked in _SAME_ASKED


def _is_about_wording(text: str) -> bool:
    found = TOKEN.findall(_NOT_ABOUT_WORDING.sub("", text))
    return not _ABOUT_WORDING.isdisjoint(found) or (":" in found and not _ABOUT_TEXT.isdisjoint(found))


def _core(tokens: list[str], asks: str) -> tuple[str, ...]:
    """The words that carry a question; what `of` joins stands as a compound: "language of app" is "app language"."""
    kept: list[str] = []
    for before, word, following in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if word in _FOCUS or f"{word}+{following}" in _PHRASAL:
            kept.append(f"{word} {following}")
        elif word == "of" or (word not in _LIGHT and word not in EMPTY and word != "'s"):
            kept.append("have" if word in ("has", "had") else word)
        elif word in _AFTER_VERB and ((before in BEING and not kept) or ([before] == kept and asks in _WITH_VERB)):
            kept.append(word)
    compounds: list[str] = []
    for before, word in zip(["", *kept], kept, strict=False):
        if word == "of":
            continue
        if before == "of" and compounds and compounds[-1] not in _MEASURES:
            compounds.insert(len(compounds) - 1, word)
        else:
            compounds.append(word)
    core = compounds or tokens
    if len(core) == 4 and core[0] in _PAIRED and core[1] == "between":
        core[2:] = sorted(core[2:])  # between two, no matter in which order
    return tuple(core)


def _asks(tokens: list[str]) -> str:
    """What for: the first word that says it."""
    if tokens and tokens[0] in BEING | DOING:
        return "whether it is" if tokens[0] in BEING else "whether it does"
    if tokens[:2] == ["there", "is"]:
        return "whether there is"
    for word, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if word == "how":
            return f"how {following}" if following in _COUNTED else "how"
        if word in _ASKS or word == "thing" or word in _WHEN:
            return word
    return ""


def _movable(tokens: list[str], core: tuple[str, ...], asks: str) -> frozenset[tuple[str, ...]]:
    """What stands after "in", "on", "at", "of" or "for", and may stand elsewhere; none where roles are at stake."""
    several = sum(word[0].isdigit() for word in core) > 1 or not _MEASURES.isdisjoint(core)
    places = sum(word in _PLACES for word in tokens)
    if several or asks not in _FREE or places > 1 or tokens.count("'s") > 1 or not _ORDERING.isdisjoint(tokens):
        return frozenset()
    found: set[tuple[str, ...]] = set()
    for place, word in enumerate(tokens):
        if word in _MOVING:
            following = [each for each in tokens[place + 1 : place + 5] if each not in EMPTY][:3]
            found.update(tuple(following[:length]) for length in range(1, len(following) + 1))
    return frozenset(found)


def _reordered(one: Meaning, other: Meaning) -> bool:
    """Whether one thing that is said to be in, on, at, of or for something was moved, and all else is in order."""
    return (one.is_question or other.is_question) and any(
        (left := _without(one.core, moved)) is not None and left == _without(other.core, moved)
        for moved in one.movable | other.movable
    )


def _without(core: tuple[str, ...], moved: tuple[str, ...]) -> tuple[str, ...] | None:
    size = len(moved)
    for start in range(len(core) - size + 1):
        if core[start : start + size] == moved:
            return core[:start] + core[start + size :]
    return None


def _bound(tokens: list[str], asks: str, names: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Each binding word with the next word that counts. Where it is about places, "in" and "on" bind in two ways."""
    found = []
    venues = {base for base, _ in names}
    for place, word in enumerate(tokens):
        if word in _BINDING or word in _PLACES:
            after = next((each for each in tokens[place + 1 :] if each not in _LIGHT and each not in EMPTY), "")
            loose = word in _PLACES and (after in venues or (after in _EITHER and not asks.startswith("whether")))
            found.append((word, f"?{after}" if loose else after))
    return frozenset(found)


def _bound_otherwise(one: Meaning, other: Meaning) -> bool:
    """A decisive word on one side only, one word bound in two ways, or one binding of two words.

    What has something may be said to be where it is: "does the phone have a jack", "is there a jack on the phone".
    """
    if {each for each, _ in one.bound if each in _DECISIVE} != {each for each, _ in other.bound if each in _DECISIVE}:
        return True
    if any(_owner(side) - {each.lstrip("?") for _, each in peer.bound} for side, peer in ((one, other), (other, one))):
        return True
    left, right = one.bound - other.bound, other.bound - one.bound
    return any(a == c or (b == d and b[:1] != "?" and _HAVING not in (a, c)) for a, b in left for c, d in right)


def _owner(side: Meaning) -> set[str]:
    return {each for word, each in side.bound if word == _HAVING}


def _persons(tokens: list[str], asks: str, core: tuple[str, ...]) -> tuple[str, ...]:
    """Who is meant, in which case, and whether something is done to them. "How do I" asks how anybody does.

    "You" and "someone" have one form: the number of words that count before them tells their case.
    """
    found = []
    count = 0
    is_how = asks == "how" or (asks == "wher" and core[0] in _ONLINE)
    is_generic = is_how and _ADDRESSED.isdisjoint(tokens)
    for token in tokens:
        person = _PRONOUNS.get(token)
        if person in ("you", "someone"):
            found.append(f"{person} {count}")
        elif person and not (is_generic and (person == "my" or (person == "i" and count == 0))):
            found.append(person)
        count += token not in _LIGHT and token not in EMPTY
    return (*found, "passive") if "passiv" in tokens else tuple(found)


def _differ_in_person(one: Meaning, other: Meaning, *, is_moved: bool) -> bool:
    """Whose it is and to whom it is done must be equal; who does it may be left unsaid on one side."""
    one_persons, other_persons = one.persons, other.persons
    if is_moved:  # the number of words before is another one, then
        one_persons, other_persons = (tuple(each.split()[0] for each in side.persons) for side in (one, other))
    if one_persons == other_persons:
        return False
    left, right = (
        [each for each in persons if each != "i" and not each.endswith(" 0")]
        for persons in (one_persons, other_persons)
    )
    if left != right or {one.asks, other.asks} & {"who", "how"}:
        return True
    short, long = sorted((one_persons, other_persons), key=len)
    rest = iter(long)
    return not all(person in rest for person in short)


def _mood(tokens: list[str], asks: str) -> str:
    """Can, should or would: "how can I" is "how should I", but "how long can I" is not "how long must I"."""
    moods = ("can", "may", "should", "must", "possibl", "might", "would", "could")
    found = next((token for token in tokens if token in moods), "")
    if asks == "how" or (found == "would" and "if" in tokens):
        return ""
    return {"may": "can", "possibl": "can", "could": "can", "must": "should"}.get(found, found)


def _named_otherwise(one: Meaning, other: Meaning) -> bool:
    """A name that the other writes small, or has in another form only ("Alien" and "Aliens"); "final" for "finale"."""
    if one.names & other.small:
        return True
    if any(
        (base, name) not in other.forms and any(base == each for each, _ in other.forms) for base, name in one.names
    ):
        return True
    left, right = one.forms - other.forms, other.forms - one.forms
    return any(
        a == b and f"{v.removesuffix('s')}e" == w.removesuffix("s") and not w.endswith("xes")
        for a, v in left
        for b, w in right
    )


def _tense(raw: list[str], tokens: list[str], asks: str) -> str:
    if "must" in tokens and not asks.startswith("how"):
        return "must"
    for mark in ("tobe", "progressiv", "perfect", "being"):
        if mark in tokens:
            return mark
    if "will" in tokens and asks != "how long":
        return "future"
    is_plain = HELPERS.isdisjoint(tokens) and asks not in ("how", "possibl")  # whose helpers were taken off
    past = any(map(is_past, raw)) if is_plain else not _PAST.isdisjoint(tokens)
    return "past" if past else ""
