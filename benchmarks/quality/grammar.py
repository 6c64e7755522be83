"""A corrected text, by its edits: the source to the answer against the source to a reference, F0.5, the best reference.

Token-level edits and F0.5 over them are those of ERRANT (Bryant, Felice, Briscoe 2017) with the weight of CoNLL-2014
(Ng et al. 2014): a wrong edit costs more than a missed one. Unlike ERRANT, this merges no neighbouring edits and gives
them no types, since that needs a parser: each token that is replaced, put in or left out is an edit of its own. Case,
kinds of quotes and the mark at the end do not count; the spaces between words and marks do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from benchmarks.quality.short_answer import plain

BETA: Final = 0.5
TOKEN: Final = re.compile(r" ?(?:\w+(?:['-]\w+)*|[^\w\s])")
"""A word or a mark with the space before it, so that a text is its tokens in a row."""

Edit = tuple[int, int, str]
"""Where in the source, which of those put in there (0: in place of the token itself), and what; "" takes it out."""


def score(text: str, source: str, references: Sequence[str]) -> tuple[float, str]:
    """In [0, 1]; 1 only for one of the references. A source that needs edits scores 0 where none was made."""
    answer, asked = plain(text), plain(source)
    accepted = [plain(reference) for reference in references]
    if answer in accepted:
        return 1.0, "an accepted correction"
    if not answer:
        return 0.0, "no answer"
    made = _edits(asked, answer)
    if not made:
        return 0.0, "nothing corrected"
    best, right, needed = max(
        (_f(len(made & wanted), len(made), len(wanted)), len(made & wanted), -len(wanted))
        for wanted in (_edits(asked, each) for each in accepted)
    )
    return best, f"{right} of {-needed} edits right, {len(made) - right} not asked for"


def _f(right: int, made: int, needed: int) -> float:
    return (1 + BETA**2) * right / (made + BETA**2 * needed)


def _edits(source: str, target: str) -> set[Edit]:
    """The edits that make the one text the other: equal sets make equal texts."""
    from rapidfuzz.distance import Levenshtein

    before, after = _tokens(source), _tokens(target)
    edits: set[Edit] = set()
    for each in Levenshtein.opcodes(before, after):
        told = after[each.dest_start : each.dest_end]
        if each.tag == "insert":
            edits.update((each.src_start, rank, token) for rank, token in enumerate(told, start=1))
        elif (
            each.tag != "equal"
        ):  # a run of replaced tokens is as long on both sides, and nothing stands for a deleted one
            places = range(each.src_start, each.src_end)
            edits.update((place, 0, token) for place, token in zip(places, told or [""] * len(places), strict=True))
    return edits


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(f" {text}")
