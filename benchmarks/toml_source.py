"""A TOML file whose errors name file, line and key, and the key that was probably meant.

Pydantic says what is wrong but not where it stands, and names the members of its unions as if they were keys.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import BadInput
from shared.files import contents

Key = Sequence[str | int]

MOST_BYTES: Final = 2**18
"""The most that is read: to find the line of an error takes time that grows with the square of the file."""

NEEDED: Final = {
    "model": "a table",
    "dict_": "a table",
    "string_type": "a text in quotes",
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "list_": "a list",
    "tuple_": "a list",
    "frozen_set_": "a list",
    "invalid-json-value": "a text, a number, true or false, a list or a table",
}
"""What to write, by how the name of pydantic's error begins; pydantic speaks of its own classes."""


class TomlSource:
    """The tables of a file in `given`, empty without a file. Raises `BadInput` where it is no TOML in UTF-8."""

    def __init__(self, file: Path | None) -> None:
        self._where, self._text, self.folder = "the command line", "", Path()
        if file:
            self._where, self.folder = str(file), file.parent
            try:
                self._text = contents(file, MOST_BYTES).decode("utf-8-sig")
                tomllib.loads(self._text)
            except FileNotFoundError:
                raise BadInput(f"{file} is missing; crossover init writes one to begin with") from None
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                raise BadInput(f"{file}: not TOML in UTF-8 ({error})") from None
        self.given: dict[str, Any] = tomllib.loads(self._text)

    def error(self, key: Key, message: str) -> BadInput:
        """The error for a key, with the line where the key begins, or the table around it where it is not there."""
        line = line_of(self._text, key)
        where = f"{self._where} line {line}" if line else self._where
        name = f"key `{'.'.join(map(str, key))}`: " if key else ""
        return BadInput(f"{where}: {name}{message}")

    def invalid(self, error: ValidationError, data: Mapping[str, Any], model: type[BaseModel]) -> BadInput:
        """The error for what pydantic found in `data`, which was to be a `model`: an unknown key, or else the first."""
        found = error.errors(include_url=False)
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        key, message = _key_of(first, data), first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            beside = [each["loc"] for each in found if each["type"] == first["type"]]
            message = _unknown_key(first["loc"], beside, model)
        elif first["type"] == "missing":
            message = "this key is needed"
        elif first["type"] == "union_tag_invalid":
            key = (*key, "kind")
            kinds = [kind.strip(" '") for kind in first["ctx"]["expected_tags"].split(",")]
            tag = first["ctx"]["tag"]
            message = f"kind {tag!r} is unknown; use one of {', '.join(kinds)}{nearest(tag, kinds)}"
        elif first["type"] == "string_pattern_mismatch":
            message = f"this does not fit the form {first['ctx']['pattern']}"
        elif needed := next((NEEDED[word] for word in NEEDED if first["type"].startswith(word)), None):
            message = f"{needed} is needed"
        else:
            message = re.sub(r"^\w+ should ", "this must ", message)
        return self.error(key, message)


def nearest(wrong: str, known: Iterable[str]) -> str:
    """The words that ask whether the nearest of `known` was meant; none where nothing is near."""
    near = difflib.get_close_matches(wrong, list(known), 1)
    return f"; did you mean `{near[0]}`?" if near else ""


def line_of(text: str, key: Key) -> int | None:
    """The line, from 1, where a key of a TOML text begins; of the table around it where the key is not there.

    Read with ever more lines, the text has the key for the first time when its value ends; the value began after the
    last line before which the text could be read.
    """
    best, depth, last_whole = None, 0, 0
    lines = text.splitlines()
    for count in range(1, len(lines) + 1):
        try:
            node: Any = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        found = 0
        for part in key:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                break
            found += 1
        if found > depth:
            best, depth = last_whole + 1, found
        last_whole = count
    return best


def _key_of(error: ErrorDetails, data: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The key that an error is about, without the names of union members that pydantic puts between."""
    key: list[str | int] = []
    node: Any = data
    for at, part in enumerate(error["loc"]):
        last = at == len(error["loc"]) - 1
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            if not (error["type"] == "missing" and last):
                continue
        key.append(part)
    return tuple(key)


def _unknown_key(place: Key, others: Iterable[Key], model: type[BaseModel]) -> str:
    """What to say of a key that does not exist: the nearest that does, or the kind of table that has it.

    In the latter case it names all of `others` that stand in the same table and belong to that kind.
    """
    models, siblings = [model], list[type[BaseModel]]()
    for part in place[:-1]:
        fields = [each.model_fields[str(part)].annotation for each in models if str(part) in each.model_fields]
        if fields:
            models, siblings = [inner for field in fields for inner in _models_in(field)], []
        else:  # the kind of one member of a union
            siblings = [each for each in models if part not in _kinds(each)]
            models = [each for each in models if part in _kinds(each)] or models
    wrong, known = str(place[-1]), sorted({name for each in models for name in each.model_fields})
    if owner := next((each for each in siblings if wrong in each.model_fields), None):
        keys = [str(each[-1]) for each in others if each[:-1] == place[:-1] and each[-1] in owner.model_fields]
        belong = "this key belongs" if len(keys) == 1 else f"the keys {', '.join(keys)} belong"
        return f'{belong} to kind = "{_kinds(owner)[0]}", and this table is of kind = "{place[-2]}"'
    return "this key is unknown" + (nearest(wrong, known) or f"; known are {', '.join(known)}")


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()
