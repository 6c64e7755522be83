"""What the classifier sees of a question: its words and word pairs, and counts that mean the same in any domain.

The counts are of steps and quantities, negation and comparison, rarity of words, length, and the form of the answer:
they carry over from one table to another where words do not.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Final, NamedTuple

Asked = tuple[str, str]
"""The task's name, "" where it is not known, and the question."""

READ: Final = 20_000
"""Characters that are looked at: the first ones say what is asked, and the time stays bounded."""
WORD: Final = r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:]\d+)*|[^\w\s]"
PLAIN: Final = re.compile(WORD)
MARK: Final = re.compile(
    "[" + "".join(char for char in map(chr, range(0x300, 0x10000)) if unicodedata.category(char)[0] == "M") + "]"
)
"""Combining marks, such as the vowels of Hindi: those of the basic plane, which `re` finds fast."""
MARKED: Final = re.compile(WORD.replace(r"[^\W\d_]+", rf"[^\W\d_]+(?:{MARK.pattern}+[^\W\d_]*)*"))
"""The same where marks are parts of words; twice as slow."""
SIGN: Final = re.compile("[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Chinese characters and Japanese kana, which are written without spaces: each is a word."""
OPTION: Final = re.compile(r"[A-J][.):]\s+")
LONG: Final = 8
"""Letters of a long word: rare words are long, and this needs no list of words."""

_LISTS: Final = {
    "negations": "no not never none neither nor without except cannot false incorrect unlikely",
    "comparisons": "more less fewer greater larger smaller higher lower most least best",
    "thans": "than before after between",
    "rates": "each every per",
    "multiples": "half twice double triple times thrice quarter third thirds quarters",
    "averages": "average mean percent percentage ratio rate",
    "totals": "total altogether sum combined together all",
    "rests": "left remaining remain remains rest difference",
    "spending": "spend spends spent cost costs earn earns price pay pays paid buys sells",
    "number words": "one two three four five six seven eight nine ten eleven twelve dozen hundred thousand",
    "times": "hour hours minute minutes day days week weeks month months year years second seconds",
    "conditions": "if suppose assume given when unless while because therefore then",
    "formula signs": "= + * / ^ \\ { } < > | ≤ ≥ × ÷ √ ∫ ∑ π °",
    "shares": "%",
    "money": "$ € £",
    "pronouns": "he she they his her their it its",
    "ands": "and",
    "commas": ",",
    "many": "many",
    "much": "much",
    "questions": "?",
}
_PLACES: Final = {word: place for place, words in enumerate(_LISTS.values()) for word in words.split()}
_NUMBER_WORDS: Final = list(_LISTS).index("number words")

SURFACE: Final = (
    *("characters", "words", "word length", "long words", "numbers", "different numbers", "longest number"),
    *("largest number", "smallest number", "decimals", "large numbers", "round numbers", "quantities"),
    *("sentences", "sentence length", "lines", *_LISTS, "capitals", "names", "different words", "last question"),
    *("options", "option length", "option spread", "options that are numbers"),
)


class Features(NamedTuple):
    """Tokens are the task, where it is known, words and word pairs; digits became their count: 17 and 23 are one
    word. `surface` holds the counts that `SURFACE` names, unbounded ones as log(1 + count)."""

    task: str
    words: list[str]
    surface: tuple[float, ...]

    def tokens(self) -> list[str]:
        known = [f"task={self.task}"] if self.task else []
        return [*known, *self.words, *map(" ".join, pairwise(self.words))]


def read(asked: Asked) -> Features:
    """The features of one question, in a tenth of a millisecond.

    One text is one text however its accents are encoded and its apostrophes are set.
    """
    task, text = asked
    text = text[:READ]
    if text.isascii():
        found = PLAIN.findall(text)
    else:
        text = unicodedata.normalize("NFC", text).replace("\u2019", "'")
        found = (MARKED if MARK.search(text) else PLAIN).findall(SIGN.sub(r" \g<0> ", text))
    words = [f"#{len(word)}" if word[0].isdecimal() else word.lower() for word in found]
    return Features(task, words, _surface(text, found, words))


def _surface(text: str, found: list[str], words: list[str]) -> tuple[float, ...]:
    log = math.log1p
    counts = Counter(words)
    numbers = [word for word in found if word[0].isdecimal()]
    values = [_value(number) for number in numbers]
    capitals = [word for word in found if word[0].isupper()]
    sentences = text.count(". ") + text.count("? ") + text.count("! ") + text.count("\n") + 1
    mark = text.rfind("?")
    start = max(text.rfind(".", 0, mark), text.rfind("\n", 0, mark)) if mark > 0 else mark
    listed = [0] * len(_LISTS)
    for word in counts.keys() & _PLACES.keys():
        listed[_PLACES[word]] += counts[word]
    return (
        log(len(text)),
        log(len(words)),
        min(len(text) / max(1, len(words)), 30.0),
        sum([len(word) >= LONG for word in counts]) / max(1, len(counts)),
        log(len(numbers)),
        log(len(set(numbers))),
        float(min(8, max(map(len, numbers), default=0))),
        log(max(values, default=0.0)),
        log(min(values, default=0.0)),
        log(sum([value % 1 > 0 for value in values])),
        log(sum([value > 12 for value in values])),
        sum([value % 5 == 0 for value in values]) / max(1, len(values)),
        log(len(numbers) + listed[_NUMBER_WORDS]),
        log(sentences),
        len(words) / sentences,
        log(text.count("\n")),
        *map(log, listed),
        len(capitals) / max(1, len(found)),
        log(max(0, len(set(capitals)) - sentences)),
        len(counts) / max(1, len(words)),
        log(mark - start),
        *_options(text),
    )


def _value(number: str) -> float:
    """What it says, as far as it is plain: 1,200 and 0.5, but of 12:30 the hours; at most a billion."""
    whole, point, rest = number.replace(",", "").partition(":")[0].partition(".")
    value = float(whole[:10])
    return min(value + float(f".{rest[:9]}") if point and rest.isdecimal() else value, 1e9)


def _options(text: str) -> tuple[float, float, float, float]:
    """How many answers there are to choose from, as A. B. C. or (A) (B) (C); how long, how unlike, numbers or not."""
    starts: list[tuple[int, int]] = []
    for match in OPTION.finditer(text):
        begin, end = match.span()
        if ord(text[begin]) - ord("A") == len(starts):
            begin -= text[begin - 1 : begin] == "("
            if begin == 0 or text[begin - 1].isspace():
                starts.append((begin, end))
    if len(starts) < 2:
        return 0.0, 0.0, 0.0, 0.0
    ends = [*(start for start, _ in starts[1:]), len(text)]
    options = [text[begin:end].strip() for (_, begin), end in zip(starts, ends, strict=True)]
    lengths = [len(option) for option in options]
    numeric = sum(option.lstrip("$+-−( ")[:1].isdigit() for option in options)
    return (
        float(len(options)),
        math.log1p(sum(lengths) / len(options)),
        (max(lengths) - min(lengths)) / (1 + max(lengths)),
        numeric / len(options),
    )
