"""A short answer with accepted spellings. Case, spaces, a leading article, and quotes and marks around it do not count.

The whole answer is compared, not searched: a model that lists three capitals has not answered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

BEFORE: Final = re.compile(r"^(?:[\s\"'`*!?;]|[.,](?!\d))+")
"""Quotes and marks before an answer, but for the point of .5."""
AFTER: Final = ' "`*.!?,;'
"""Quotes and marks after it. An apostrophe is a quote only where one opened, not in "our neighbours'"."""


def score(text: str, references: Sequence[str]) -> tuple[float, str]:
    """1 where the answer equals one of the references after normalising both, else 0."""
    answer = normalise(text)
    if not answer:
        return 0.0, "no answer"
    if answer in {normalise(reference) for reference in references}:
        return 1.0, "an accepted answer"
    return 0.0, "not an accepted answer"


def normalise(text: str) -> str:
    """Text as it is compared: as `plain` has it, without the article before."""
    return plain(re.sub(r"^(?:the|a|an) (?=\S)", "", plain(text)))


def plain(text: str) -> str:
    """NFKC in lower case, one kind of quote and dash, single spaces, no quotes or marks around it.

    A text of nothing but these is compared as it stands: "?" may be what was asked for.
    """
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("’‘“”–—", "''\"\"--"))
    text = re.sub(r"\s+", " ", text).casefold().strip()
    bare = BEFORE.sub("", text)
    return bare.rstrip(AFTER + "'" * ("'" in text[: len(text) - len(bare)])) or text
