"""A short answer with accepted spellings. Case, spaces, a leading article and a final full stop do not count.

The whole answer is compared, not searched: a model that lists three capitals has not answered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence


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
    return re.sub(r"^(?:the|a|an) (?=\S)", "", plain(text))


def plain(text: str) -> str:
    """NFKC in lower case, one kind of quote and dash, single spaces, no quotes around it and no mark after it."""
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("’‘“”–—", "''\"\"--"))
    text = re.sub(r"\s+", " ", text).strip().strip("\"'`*").strip()
    return re.sub(r"[.!?,;]+$", "", text).casefold().strip()
