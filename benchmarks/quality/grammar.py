"""A corrected text, by its edits: the source to the answer against the source to a reference, F0.5, the best reference.

Token-level edits and F0.5 over them are those of ERRANT (Bryant, Felice, Briscoe 2017) with the weight of CoNLL-2014
(Ng et al. 2014): a wrong edit costs more than a missed one. Neighbouring changes are one edit, right as a whole or not
at all, unless as many tokens go as come: then each is an edit of its own. ERRANT decides with a parser which neighbours
to part; here an edit instead counts as many times as it has tokens, on its longer side, so that a sentence of chatter
put in is no single slip. Case, kinds of quotes and the marks around the text do not count; the spaces between words and
marks do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from benchmarks.quality.short_answer import plain

BETA: Final = 0.5
TOKEN: Final = re.compile(r" ?(?:\w+(?:['-]\w+)*|[^\w\s])")
"""A word or a mark with the space before it, so that a text is its tokens in a row."""

Edit = tuple[int, int, tuple[str, ...]]
"""Where in the source it starts and ends, and the tokens that come there instead."""


def score(text: str, source: str, references: Sequence[str]) -> tuple[float, str]:
    """In [0, 1]; 1 only for one of the references. A source that needs edits scores 0 where none was made.

    A source that differs from a reference in nothing that counts needs none: `hides_its_edits` finds it.
    """
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
        (_f(_tokens_of(made & wanted), _tokens_of(made), _tokens_of(wanted)), len(made & wanted), -len(wanted))
        for wanted in (_edits(asked, each) for each in accepted)
    )
    return best, f"{right} of {-needed} edits right, {len(made) - right} not asked for"


def hides_its_edits(source: str, references: Sequence[str]) -> bool:
    """Whether a source is none of the references, but differs from one in nothing that counts, such as case."""
    same = [reference for reference in references if plain(reference) == plain(source)]
    return bool(same) and source.strip() not in {reference.strip() for reference in same}


def _f(right: int, made: int, needed: int) -> float:
    return (1 + BETA**2) * right / (made + BETA**2 * needed)


def _edits(source: str, target: str) -> set[Edit]:
    """The edits that make the one text the other: equal sets make equal texts."""
    from rapidfuzz.distance import Levenshtein

    before, after = _tokens(source), _tokens(target)
    opcodes = Levenshtein.opcodes(before, after)
    edits: set[Edit] = set()
    for same, group in groupby(opcodes, key=lambda each: each.tag == "equal"):
        if not same:
            run = list(group)
            start, end, told = run[0].src_start, run[-1].src_end, after[run[0].dest_start : run[-1].dest_end]
            if end - start == len(told):
                edits |= {(start + place, start + place + 1, (token,)) for place, token in enumerate(told)}
            else:
                edits.add((start, end, tuple(told)))
    return edits


def _tokens_of(edits: Iterable[Edit]) -> int:
    return sum(max(end - start, len(told)) for start, end, told in edits)


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(f" {text}")
