"""A number: the one after the last "Answer:", or else the last in the text, since models show their sums first.

Thousands separators, a currency sign or a unit beside the number are ignored; 3/4 is read as a fraction.
"""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:/[1-9]\d*)?(?![\d/])")


def score(text: str, reference: float) -> tuple[float, str]:
    """1 where the number equals the reference to nine digits, else 0."""
    tail = text.rpartition("Answer:")[2]
    marked = NUMBER.findall(tail) if tail != text else []
    found = marked[:1] or NUMBER.findall(text)
    if not found:
        return 0.0, "no number in the answer"
    value = _value(found[-1])
    if math.isclose(value, reference, rel_tol=1e-9, abs_tol=1e-9):
        return 1.0, "the right number"
    return 0.0, f"{value:g}, not {reference:g}"


def _value(text: str) -> float:
    whole, _, divisor = text.replace(",", "").replace("−", "-").partition("/")
    return float(whole) / float(divisor) if divisor else float(whole)
