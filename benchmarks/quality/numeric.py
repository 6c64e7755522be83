"""A number: the one after the last "Answer:", or else the last in the text, since models show their sums first.

Where a sum stands after the mark, its result counts: the number after the last "=" of the line. Read as a number:
1,234.5 and 1 234.5 and 1'234.5, 1.234,5 and 2,5 with a decimal comma, .5, 3/4, 1 1/2 and 1½, 1e6 and 3 million, -$5
and minus 5. A currency sign or a word beside it does not count where the reference is a number alone, but 25% is 0.25
too. Where the reference states its unit, as "3.5 km" does, an answer may leave the unit out; if it says another one, it
is wrong. Nothing is converted: 3500 m is not 3.5 km. A text that ends in the middle of a sum, as "20-6=14, 14-6" does,
gives no number: the last one is no result.
"""

from __future__ import annotations

import math
import re
from typing import Final

_DIGITS: Final = (
    r"(?:\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?"
    r"|\d{1,3}(?:[ '’\u00a0\u2009\u202f]\d{3})+(?!\d)(?:\.\d+)?|\d+,\d{1,2}(?![\d,])|\d+(?:\.\d+)?|\.\d+)"
)
NUMBER: Final = re.compile(
    rf"(?<![\w.,])[-−]?(?:\d+ [1-9]\d*/[1-9]\d*|{_DIGITS}(?:/[1-9]\d*)?)(?:[eE][-+]?\d{{1,3}})?(?![\d/]|[eE][-+]?\d)"
)
OPERATOR: Final = re.compile(r"\d\s*[-−+*×]\s*$")
MARK: Final = re.compile("answer:", re.IGNORECASE)
SUM: Final = re.compile(r"[^-−+*×÷/\d(=\n]*[-−+*×÷/]\s*[€$£(]?\.?\d.*=(.*)")
"""What follows the first number of a sum on its line, and of that the result."""
HALVES: Final = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4"})
POWERS: Final = {"hundred": "e2", "thousand": "e3", "million": "e6", "billion": "e9", "trillion": "e12"}
CURRENCIES: Final = "€$£"

UNITS: Final = {
    spelling: names.split()[0]
    for names in (
        "mm millimetre millimetres millimeter millimeters", "cm centimetre centimetres centimeter centimeters",
        "m metre metres meter meters", "km kilometre kilometres kilometer kilometers", "inch inches", "ft foot feet",
        "yard yards", "mile miles", "mg milligram milligrams", "g gram grams", "kg kilo kilos kilogram kilograms",
        "tonne tonnes ton tons", "oz ounce ounces", "lb lbs pound pounds £ gbp", "ml millilitre millilitres milliliter "
        "milliliters", "cl centilitre centilitres", "l litre litres liter liters", "gallon gallons", "pint pints",
        "ms millisecond milliseconds", "s sec second seconds", "min minute minutes", "h hr hrs hour hours", "day days",
        "week weeks", "month months", "year years", "€ eur euro euros", "$ usd dollar dollars", "cent cents",
        "°c celsius", "°f fahrenheit", "% percent", "km/h kmh kph", "mph mile/h", "m/s", "m² m2 sqm", "cm² cm2",
        "km² km2", "m³ m3", "kb", "mb", "gb", "tb", "w", "kw", "kwh",
    )
    for spelling in names.split()
}  # fmt: skip
"""The first spelling of each unit by all of its spellings; "pound" is weight and money, so it is both."""
_UNIT: Final = re.compile(r"(?:°[CF]|[^\W\d_]+(?:/[^\W\d_]+|[²³23])?|[%€$£])(?!\w)")
_REWRITTEN: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in (
        (r"(?<![\w.,])(?<!\d )(?:[-−–]|(?:minus|negative)\s)([€$£]?)(?=\.?\d)", r"\1-"),
        (rf"(?<=\d)\s?({'|'.join(POWERS)})\b", lambda found: POWERS[found[1].casefold()]),
        (r"(?:°\s?|\bdegrees?\s)(c|f)(?:elsius|ahrenheit)?\b", lambda found: f"°{found[1].upper()}"),
        (r"\b(?:square|sq\.?)\s([^\W\d_]+)", r"\1²"),
        (r"\bcubic\s([^\W\d_]+)", r"\1³"),
        (r"(?<=[^\W\d_])(?:\sper\s|\s?/\s?)(?=[^\W\d_])", "/"),
    )
)
"""Other ways to write a sign, a power of ten or a unit, and what is read in their place."""


def parse(reference: object) -> tuple[float, str | None] | None:
    """The value of a reference and its unit, None where it states none: a finite number, or a text like "3.5 km".

    None for anything else, such as a text without a number and a unit of the table.
    """
    if isinstance(reference, int | float) and not isinstance(reference, bool):
        try:
            return (float(reference), None) if math.isfinite(reference) else None
        except OverflowError:
            return None
    if not isinstance(reference, str):
        return None
    text = _rewritten(reference).strip()
    found = list(NUMBER.finditer(text))
    if len(found) != 1:
        return None
    unit = _said(text, found[0])
    rest = (text[: found[0].start()] + text[found[0].end() :]).strip()
    return (_value(found[0][0]), unit) if unit and _named(rest) == unit else None


def score(text: str, reference: float, unit: str | None = None) -> tuple[float, str]:
    """1 where the number equals the reference to nine digits and no other unit is said, else 0."""
    text = _rewritten(text)
    marks = list(MARK.finditer(text))
    tail = marks[-1].end() if marks else len(text)
    found = NUMBER.search(text, tail)
    if found and (result := SUM.match(text, found.end())):
        found = NUMBER.search(text, result.start(1), result.end(1))
        if not found:
            return 0.0, "ends in the middle of a sum"
    found = found or next(reversed(list(NUMBER.finditer(text))), None)
    if not found:
        return 0.0, "no number in the answer"
    if found.start() < tail and OPERATOR.search(text[max(0, found.start() - 8) : found.start()]):
        return 0.0, "ends in the middle of a sum"
    value, said = _value(found[0]), _said(text, found)
    if unit and said and said != unit:
        return 0.0, f"in {said}, not {unit}"
    if _equal(value, reference) or (not unit and said == "%" and _equal(value / 100, reference)):
        return 1.0, "the right number"
    return 0.0, f"{value:g}, not {reference:g}"


def _equal(value: float, reference: float) -> bool:
    return math.isclose(value, reference, rel_tol=1e-9, abs_tol=1e-9)


def _said(text: str, number: re.Match[str]) -> str | None:
    """The unit right after a number, or the currency sign before it."""
    after = _UNIT.match(text[number.end() :].lstrip())
    unit = _named(after[0]) or _named(after[0].partition("/")[0]) if after else None
    before = text[: number.start()].rstrip()[-1:]
    return unit or (UNITS[before] if before and before in CURRENCIES else None)


def _named(spelling: str) -> str | None:
    """The first spelling of a unit, of the square or cube of one, or of a speed."""
    spelling = "°" * (spelling in ("C", "F")) + spelling.casefold()
    if spelling[-1:] in ("²", "³") and spelling not in UNITS:
        base = UNITS.get(spelling[:-1])
        return base and base + spelling[-1]
    over, slash, under = spelling.partition("/")
    return UNITS.get(f"{UNITS.get(over, over)}/{UNITS.get(under, under)}" if slash else spelling)


def _rewritten(text: str) -> str:
    text = text.translate(HALVES)
    for pattern, put in _REWRITTEN:
        text = pattern.sub(put, text)
    return text


def _value(text: str) -> float:
    text, _, power = text.replace("−", "-").casefold().partition("e")
    if power:
        return _value(text) * float(f"1e{power}")
    whole, space, fraction = text.partition(" ")
    if space and "/" in fraction:
        sign = -1 if whole.startswith("-") else 1
        return sign * (abs(float(whole)) + _value(fraction))
    text, _, divisor = re.sub(r"[ '’\u00a0\u2009\u202f]", "", text).partition("/")
    if re.search(r"\.\d+,|^[^,.]*,\d{1,2}$", text):
        text = text.replace(".", "").replace(",", ".")
    value = float(text.replace(",", ""))
    return value / float(divisor) if divisor else value
