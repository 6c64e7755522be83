"""Which texts are nearly the same, and which are one template filled in again and again.

MinHash (datasketch) proposes pairs, the exact Jaccard index of their n-grams decides. Texts are compared by their
three-word sequences. One changed word breaks three of those, so up to ten words they cannot see that a text was copied
with a word changed; texts of fewer than `SHORT_WORDS` words are therefore compared by their five-character sequences
as well, and the higher figure counts. Long texts are not: characters would pair them by their subject alone.

Templates are looked for in three ways, each blind to another kind of filling. A skeleton masks numbers, names and
quotations. A family joins skeletons that are near-duplicates of each other. A frame keeps only words that stand in more
than `COMMON` of all texts: the fixed words of a template with a larger share than that all do, and what was filled in
from a list mostly does not.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from benchmarks.progress import Progress
from shared.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS: Final = 3
CHARACTERS: Final = 5
SHORT_WORDS: Final = 20
"""Texts with fewer words than this are compared by characters too."""

ROWS: Final = 3
BANDS: Final = 85
"""Of 85 bands of 3 hashes one agrees with probability 0.99999 at Jaccard 0.5 and with all but 3e-16 at 0.7, and with
0.001 at 0.02, where unrelated sentences lie: few candidates have to be looked at."""
REACH: Final = 32
"""Each text is paired with at most so many others of a bucket of one band, whichever they are: thousands of copies of
one text are all seen to be copies, and copies on the other side of a split, without the square of their number."""
DOUBT: Final = 0.2
"""How far the estimated index may lie below the exact one: six standard errors of 255 hashes."""
KEPT_GRAMS: Final = 20_000
"""Texts whose n-grams are kept while pairs are verified."""

COMMON: Final = 0.02
LEAST_KEPT: Final = 4
"""A frame of fewer common words than this is everyday grammar and no template."""

WORD: Final = re.compile(r"\w+(?:'\w+)*")
NUMBER: Final = re.compile(r"\d+(?:[.,:/-]\d+)*")
QUOTED: Final = re.compile(r"\"[^\"]+\"|“[^”]+”|‘[^’]+’|(?<!\w)'[^']+'(?!\w)")
NAME: Final = re.compile(r"(?<![.!?:\n\"“(])(?<=[ ])(?!I\b)[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*")
SENTENCE: Final = re.compile(r"(?<=[.!?:]) +|\n+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts by their places, the first before the second, and the exact Jaccard index of their n-grams."""

    first: int
    second: int
    jaccard: float


def near_duplicates(texts: Sequence[str], threshold: float) -> list[Pair]:
    """All pairs whose Jaccard index is `threshold` (0.5 or more) or higher, the nearest first, ties by place.

    A pair at the threshold is missed with probability 1e-5; beyond `REACH` copies of one text not every pair is named,
    but each copy stands in some. Texts without a letter or digit are in no pair. Raises `BadInput` without datasketch.
    """
    words = [words_of(text) for text in texts]
    found: dict[tuple[int, int], float] = {}
    ways: tuple[tuple[Callable[[Sequence[str]], frozenset[str]], float], ...] = (
        (word_grams, float("inf")),
        (character_grams, SHORT_WORDS),
    )
    for grams_of, below in ways:
        chosen = [place for place, each in enumerate(words) if 0 < len(each) < below]
        grams = lru_cache(KEPT_GRAMS)(lambda place, grams_of=grams_of: grams_of(words[place]))
        for one, other in candidates((grams(place) for place in chosen), threshold, len(chosen)):
            pair = chosen[one], chosen[other]
            index = jaccard(grams(pair[0]), grams(pair[1]))
            if index >= threshold:
                found[pair] = max(index, found.get(pair, 0.0))
    pairs = [Pair(*places, index) for places, index in found.items()]
    return sorted(pairs, key=lambda pair: (-pair.jaccard, pair.first, pair.second))


def candidates(sets: Iterable[frozenset[str]], threshold: float, count: int) -> Iterable[tuple[int, int]]:
    """Pairs of places of sets that may reach the threshold, in order. `count` is how many sets there are."""
    try:
        from datasketch import MinHash
    except ImportError:
        raise BadInput("near-duplicates need datasketch; run: make dev (or install the extra: data)") from None
    import numpy as np

    signatures = np.empty((count, ROWS * BANDS), dtype=np.uint32)
    with Progress("comparing texts", count) as progress:
        encoded = ([gram.encode() for gram in grams] for grams in sets)
        for place, signature in enumerate(MinHash.generator(encoded, num_perm=ROWS * BANDS, hashfunc=zlib.crc32)):
            signatures[place] = signature.hashvalues
            progress.step()
    codes = np.empty(0, dtype=np.int64)
    for band in range(BANDS):
        pairs = _in_one_bucket(signatures[:, band * ROWS : (band + 1) * ROWS])
        codes = np.union1d(codes, pairs[:, 0] * count + pairs[:, 1])
    for code in codes.tolist():
        one, other = divmod(code, count)
        if np.count_nonzero(signatures[one] == signatures[other]) >= (threshold - DOUBT) * ROWS * BANDS:
            yield one, other


def _in_one_bucket(rows: NDArray[Any]) -> NDArray[Any]:
    """Pairs of places whose rows agree. A mixed key may let a few others through, which are verified away.

    datasketch's own index keeps a Python set for each bucket of every band, gigabytes at 100,000 texts; one band at a
    time, sorted, needs a few megabytes.
    """
    import numpy as np

    factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
    keys = (rows.astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    mixed = np.random.default_rng(0).permutation(len(keys))  # or copies would be paired with their neighbours alone
    order = mixed[np.argsort(keys[mixed], kind="stable")]
    ranked = keys[order]
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for apart in range(1, min(REACH + 1, len(keys))):
        same = ranked[apart:] == ranked[:-apart]
        if not same.any():
            break
        pairs.append(np.stack([order[:-apart][same], order[apart:][same]], axis=1))
    return np.sort(np.concatenate(pairs), axis=1)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared over all, in [0, 1]; 0 where both are empty."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def words_of(text: str) -> list[str]:
    """Words and numbers in one case, without marks."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))


def word_grams(words: Sequence[str]) -> frozenset[str]:
    """Sequences of three words; a shorter text is one sequence."""
    return frozenset(" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1)))


def character_grams(words: Sequence[str]) -> frozenset[str]:
    """Sequences of five characters over single spaces; a shorter text is one sequence."""
    text = " ".join(words)
    return frozenset(text[at : at + CHARACTERS] for at in range(max(1, len(text) - CHARACTERS + 1)))


def skeleton(text: str) -> str:
    """The text with quotations, numbers, and capitalised words inside a sentence masked. I is no name."""
    text = NUMBER.sub("_0", QUOTED.sub("_q", text))
    if not text.isupper():
        text = "\n".join(NAME.sub("_n", sentence) for sentence in SENTENCE.split(text))
    return " ".join(words_of(text))


def frames(texts: Sequence[str]) -> list[str | None]:
    """Each text with the words masked that stand in at most `COMMON` of all; None with too few others to tell."""
    words = [words_of(skeleton(text)) for text in texts]
    spread = Counter(word for each in words for word in set(each))
    common = {word for word, count in spread.items() if count > COMMON * len(texts)}
    made: list[str | None] = []
    for each in words:
        kept = [word if word in common else "_" for word in each]
        made.append(" ".join(kept) if len(kept) - kept.count("_") >= LEAST_KEPT else None)
    return made


def families(texts: Sequence[str], threshold: float) -> list[int]:
    """For each text the place of the first one of its family: chains of near-duplicates at the threshold."""
    first = list(range(len(texts)))

    def root(place: int) -> int:
        while first[place] != place:
            first[place] = first[first[place]]
            place = first[place]
        return place

    for pair in near_duplicates(texts, threshold):
        one, other = sorted((root(pair.first), root(pair.second)))
        first[other] = one
    return [root(place) for place in range(len(texts))]


def opening(text: str, words: int) -> str | None:
    """The first so many words; None where there are fewer."""
    found = words_of(text)[:words]
    return " ".join(found) if len(found) == words else None


def largest(keys: Sequence[object], groups: Sequence[str]) -> list[int]:
    """The places with the most frequent key that is not None; those of one group alone do not count."""
    places: defaultdict[object, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        if key is not None:
            places[key].append(place)
    shared = [each for each in places.values() if len({groups[place] for place in each}) > 1]
    return max(shared, key=len, default=[])
