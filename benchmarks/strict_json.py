"""JSON as its standard has it, and what its values are called."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """Raises `ValueError` for what is no JSON, as NaN and Infinity are none; `RecursionError` where it is too deep."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def kind(value: object) -> str:
    """What sort of value this is, in words, never what it says."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")
