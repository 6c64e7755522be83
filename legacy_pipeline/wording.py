"""One wording for many: how a question is spelt, framed (`rewrites.py`), inflected, and its synonyms (`synonyms.txt`).

What comes out is for comparing, not for reading. Two wordings that come out alike may be taken for one another, so
nothing is unified here that could change an answer: words that would lose what tells them apart (HTTP and HTTPS) are
kept whole. English only: `is_foreign` tells what must not be read as English.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from legacy_pipeline.rewrites import RULES


def words(text: str) -> frozenset[str]:
    """A list of words as a set."""
    return frozenset(text.split())


def pairs(text: str) -> dict[str, str]:
    """A list of `word:other` as a mapping."""
    return dict(pair.split(":") for pair in text.split())


TOKEN: Final = re.compile(
    r"""\d+(?:[.,:/-]\d+)*        # a number, a date, a time, a version
      | (?<![\w)])-(?=[\d.])      # a minus sign
      | [^\W\d_]+(?:\+\+|\#)?     # a word; C++ and C#, too
      | 's\b
      | [^\w\s"'-]                # each other sign by itself
    """,
    re.VERBOSE,
)
QUOTE: Final = "QUOTE"
"""Stands where something was quoted."""
EMPTY: Final = words(
    "a an the is are be am was were being been do does did done doing it its that there what which any"
)
BEING: Final = words("is are am was were")
DOING: Final = words("do does did")
HELPERS: Final = BEING | DOING | words("can could will would has have had should must")

_DIGITS: Final = pairs(
    "zero:0 one:1 two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 eleven:11 twelve:12 thirteen:13 "
    "fourteen:14 fifteen:15 sixteen:16 seventeen:17 eighteen:18 nineteen:19 twenty:20 thirty:30 forty:40 fifty:50 "
    "hundred:100 thousand:1000 dozen:12"
)
_SIGNS: Final = {"$": " dollar ", "€": " euro ", "£": " gbp ", "%": " percent ", "&": " and "}
_PAST: Final = pairs(
    "spoken:speak spoke:speak written:write wrote:write sold:sell paid:pay sent:send found:find made:make built:build "
    "taken:take took:take given:give gave:give bought:buy broke:break forgotten:forget forgot:forget chosen:choose "
    "chose:choose grown:grow grew:grow won:win lost:lose went:go gone:go saw:see seen:see came:come began:begin "
    "begun:begin ran:run wore:wear worn:wear drew:draw drawn:draw knew:know known:know told:tell said:say held:hold "
    "led:lead met:meet spent:spend taught:teach caught:catch fell:fall fallen:fall used:use kept:keep eaten:eat "
    "ate:eat driven:drive drove:drive"
)
_MUTE: Final = words(
    "bake bite bike bore care code cope cure date dine dive dose dye face fade fake file fine fire fume give glue hate "
    "hide hike hire hope joke like line live lose love lure make mine move mute name note page pave poke pose race "
    "rage rate ride rise rule save size skate take tame tape tile time tone tune type vape vote wake wave wipe wire"
)
_FORMS: Final = _PAST | pairs(
    "planes:plane dying:die lying:lie tying:tie children:child kids:child men:man women:woman feet:foot teeth:tooth "
    "mice:mouse wives:wife lives:life knives:knife leaves:leave uses:use goes:go going:go"
)
_MUTE_FORMS: Final = {verb[:-1] + end: verb for verb in _MUTE for end in ("ing", "ed")}
"""Too short to lose the e: "car" is not "care", "not" is not "note"."""
_WHOLE: Final = words(
    "plane breathe bathe customs goods means glasses https http ios aws dns css sms gps news series species physics "
    "mathematics economics politics gas bus lens plus yes thing things nothing something anything everything during "
    "morning evening king ring string spring wing wedding ceiling sibling need seed feed speed weed bed red hundred "
    "shed british people parking earring herring bedding bowling lining stocking padding icing heroin building "
    "starring scrapping stripping gripping"
)
"""Their endings are none."""
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


_LOANS: Final = pairs(
    "café:cafe cafés:cafes naïve:naive cliché:cliche fiancé:fiance jalapeño:jalapeno piñata:pinata crêpe:crepe "
    "crêpes:crepes façade:facade purée:puree sauté:saute soufflé:souffle décor:decor"
)
_LOAN: Final = re.compile(rf"\b(?:{'|'.join(_LOANS)})\b", re.IGNORECASE)
_FOREIGN: Final = words(
    "el la de los las una que por para como donde cuanto cual esta der das und ist sind ein eine wie wo ich mein nicht "
    "auf mit von zu les des est une le du dans pour je pas qui avec sur il di che per della sono het een niet och att "
    "inte os uma nao"
)
_ENGLISH: Final = words("the are how what does of my your can where when why which who and")


def is_foreign(text: str) -> bool:
    """Whether a text has letters of another language, or two of its little words and none of English."""
    plain = _LOAN.sub("", unicodedata.normalize("NFC", text))
    found = set(re.findall(r"[a-z]+", plain.lower()))
    return any(each.isalpha() and not each.isascii() for each in plain) or (
        len(found & _FOREIGN) > 1 and not found & _ENGLISH
    )


_ENDING: Final = re.compile(
    r"""(?<=[^\W\d_]{2})[.,?!;:]+(?=[\s)]|$)  # stops after a word
      | (?<=[\w)\]}#+*'"!%$€£°])[.,?;:](?=[\s)]|$)  # one after a sign or a number, whose "!" is a factorial
      | (?<=[^\W\d_]{2}\s)[?!]$
      | (?<=[^\W\d_])['-](?=\w) | (?<=s)'(?=\s|$)  # inside a word
      | (?<=\d)[.,:/-](?=\d)  # inside a number, which is a word
      | (?<=[^\W\d_]{3}[ ])-+(?=[ ][^\W\d_]{3})  # a dash between words
      | (?<![$€£%&])[$€£%&](?![$€£%&])  # read as words""",
    re.VERBOSE,
)


def signs(text: str) -> tuple[str, ...]:
    """All signs that are not punctuation of words, in order, those that touch as one: "!=" is not "=", "-x" not "x"."""
    return tuple(re.findall(r"(?:[^\w\s]|_)+", _ENDING.sub(" ", text.strip())))


def spelt(text: str) -> str:
    """Lower case, but for capitals that would be taken for empty words (US, IT); contractions opened; signs named."""
    text = _LOAN.sub(lambda found: _LOANS[found[0].lower()], unicodedata.normalize("NFC", text))
    text = re.sub(r"\b([2-6])G\b", r"generation\1", text)
    shouting = text.isupper()
    lowered = []
    for number, word in enumerate(text.split()):
        bare = word.strip(".,?!;:()")
        is_name = bare.isupper() and bare.lower() in _NO_NAMES and bare != "I" and number > 0 and not shouting
        if bare == "May" and number > 0:
            word = word.replace("May", _MONTH)
        lowered.append(word if is_name or bare == QUOTE else word.lower())
    text = " ".join(lowered)
    for pattern, other in _CONTRACTIONS:
        text = pattern.sub(other, text)
    text = re.sub(r"([$€£]) ?(\d[\d.,]*)", r"\2 \1", text)
    for sign, name in _SIGNS.items():
        text = text.replace(sign, name)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=[^\W\d])-(?=\w)", " ", text)


_NO_NAMES: Final = EMPTY | {"us"}
_MONTH: Final = "maymonth"
"""The month, for "may" asks for leave."""


def framed(text: str) -> str:
    """The spelt question in one frame."""
    text = " ".join(text.split())
    for pattern, other in RULES:
        changed = pattern.sub(other, text)
        if changed != text:
            text = " ".join(changed.split())
    return text


def unified(tokens: list[str]) -> list[str]:
    """Endings taken off, then the longest phrases that have a synonym replaced."""
    stems = [stem(token) for token in tokens]
    table, longest = _synonyms()
    found: list[str] = []
    start = 0
    while start < len(stems):
        for length in range(min(longest, len(stems) - start), 0, -1):
            if same := table.get(tuple(stems[start : start + length])):
                found.extend(same)
                start += length
                break
        else:
            found.append(stems[start])
            start += 1
    return found


@cache
def _synonyms() -> tuple[dict[tuple[str, ...], tuple[str, ...]], int]:
    """Each phrase and what stands for it, both as stems, and the length of the longest phrase in words."""
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in files("legacy_pipeline").joinpath("synonyms.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            group = [tuple(map(stem, TOKEN.findall(phrase))) for phrase in line.split(", ")]
            table.update(dict.fromkeys(group, group[0]))
    return table, max(map(len, table))


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """Numbers as digits; plural, -ing, -ed and the mute e or the double letter before them taken off."""
    word = _FORMS.get(word) or _MUTE_FORMS.get(word) or _DIGITS.get(word, word)
    if len(word) < 4 or not word.isalpha() or word in EMPTY | HELPERS | _WHOLE or word == QUOTE:
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
    if len(word) > 4 and word.endswith("ed") and not word.endswith("eed"):
        word = word[:-2]
    word = word[:-1] if len(word) > 4 and word.endswith("e") else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious" else word


def is_past(word: str) -> bool:
    """Whether a word has the form of a past tense or of a past participle."""
    return word in _PAST or (len(word) > 4 and word.endswith("ed") and not word.endswith("eed"))


_ANY_CASE: Final = words(
    "excel javascript docker github wifi bluetooth internet powerpoint gmail photoshop whatsapp iphone android linux "
    "ubuntu facebook instagram google netflix spotify youtube english german french spanish moon earth mysql postgres "
    "kubernetes"
)
"""Names that stand for nothing else in small letters."""


def names_of(question: str) -> frozenset[tuple[str, str]]:
    """Words with a capital letter that is not due to their place, each with its stem: Germany, Aliens, but not PDFs."""
    spoken = question.split()
    if sum(word[:1].isupper() for word in spoken) * 2 > len(spoken) + 2:
        return frozenset()  # a title, or shouting: capitals tell nothing
    found = [
        word
        for word in re.findall(r"(?<![.?!:] )(?<!^)\b[A-Z][A-Za-z]+", question)
        if not word.isupper() and (len(word) < 3 or not word[:-1].isupper())
    ]
    return frozenset((stem(word.lower()), word.lower()) for word in found if not word.lower().endswith(("day", "days")))


def small_words(question: str) -> frozenset[tuple[str, str]]:
    """Words in small letters where a capital could have been: "rust", which is not "Rust"."""
    return frozenset((stem(word), word) for word in re.findall(r"\b[a-z]{2,}", question) if word not in _ANY_CASE)
