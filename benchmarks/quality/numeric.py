"""A number: the one after the last "Answer:", or else the last in the text, since models show their sums first.

Read as a number: 1,234.5 and 1 234.5 and 1'234.5, 1.234,5 and 2,5 with a decimal comma, .5, 3/4, 1 1/2 and 1½. A
currency sign or a word beside it does not count where the reference is a number alone, but 25% is 0.25 too. Where the
reference states its unit, as "3.5 km" does, an answer may leave the unit out; if it says another one, it is wrong.
Nothing is converted: 3500 m is not 3.5 km. A text that ends in the middle of a sum, as "20-6=14, 14-6" does, gives no
number: the last one is no result.
"""

from __future__ import annotations

import math
import re
from typing import Final

_DIGITS: Final = (
    r"(?:\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?"
    r"|\d{1,3}(?:[ '’\u00a0\u2009\u202f]\d{3})+(?!\d)(?:\.\d+)?|\d+,\d{1,2}(?![\d,])|\d+(?:\.\d+)?|\.\d+)"
)
NUMBER: Final = re.compile(rf"(?<![\w.,])[-−]?(?:\d+ [1-9]\d*/[1-9]\d*|{_DIGITS}(?:/[1-9]\d*)?)(?![\d/])")
OPERATOR: Final = re.compile(r"\d\s*[-−+*×]\s*$")
MARK: Final = re.compile("answer:", re.IGNORECASE)
HALVES: Final = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4"})

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
        "°c celsius", "°f fahrenheit", "% percent", "km/h kmh kph", "mph", "m/s", "m² m2 sqm", "cm² cm2", "km² km2",
        "m³ m3", "kb", "mb", "gb", "tb", "w", "kw", "kwh",
    )
    for spelling in names.split()
}  # fmt: skip
"""The first spelling of each unit by all of its spellings; "pound" is weight and money, so it is both."""
_UNIT: Final = re.compile(r"(?:°\s?[CcFf]|[^\W\d_]+(?:/[^\W\d_]+|[²³23])?|[%€$£])(?!\w)")


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
    text = reference.strip().translate(HALVES).strip()
    found = list(NUMBER.finditer(text))
    if len(found) != 1:
        return None
    unit = _said(text, found[0])
    rest = (text[: found[0].start()] + text[found[0].end() :]).strip().casefold()
    return (_value(found[0][0]), unit) if unit and UNITS.get(re.sub(r"°\s", "°", rest)) == unit else None


def score(text: str, reference: float, unit: str | None = None) -> tuple[float, str]:
    """1 where the number equals the reference to nine digits and no other unit is said, else 0."""
    text = text.translate(HALVES)
    marks = list(MARK.finditer(text))
    tail = marks[-1].end() if marks else len(text)
    found = NUMBER.search(text, tail) or next(reversed(list(NUMBER.finditer(text))), None)
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
    unit = UNITS.get(re.sub(r"\s", "", after[0]).casefold()) if after else None
    return unit or UNITS.get(text[: number.start()].rstrip()[-1:])


def _value(text: str) -> float:
    text = text.replace("−", "-")
    whole, space, fraction = text.partition(" ")
    if space and "/" in fraction:
        sign = -1 if whole.startswith("-") else 1
        return sign * (abs(float(whole)) + _value(fraction))
    text, _, divisor = re.sub(r"[ '’\u00a0\u2009\u202f]", "", text).partition("/")
    if re.search(r"\.\d+,|^[^,.]*,\d{1,2}$", text):
        text = text.replace(".", "").replace(",", ".")
    value = float(text.replace(",", ""))
    return value / float(divisor) if divisor else value
