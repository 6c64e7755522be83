"""Read a workload: a folder with `tasks.toml` (instruction, examples, scorer of each task) and one or more `*.jsonl`.

Every model gets the same instruction, examples and items; how they are rendered is the model's own business. Splits
go by group, by a hash of its name: paraphrases and near misses of one item never stand on both sides of a split, and
nobody can choose which side an item falls on.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.contract import Message, Request
from shared.errors import BadInput

Split = Literal["train", "validation", "test"]
ScorerName = Literal["label", "numeric", "short_answer", "json_fields"]

Part = Literal["training", "test"]
PARTS: Final[Mapping[Part, frozenset[Split]]] = {
    "training": frozenset({"train", "validation"}),
    "test": frozenset({"test"}),
}
"""What is recorded together: all that anything may be fitted on, and all that is judged on."""

BUILTIN = Path(__file__).parent / "builtin"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(_Strict):
    """One worked example, shown to every model as a turn of its own."""

    input: str
    output: str


class Task(_Strict):
    """What the items of one task share."""

    instruction: str
    examples: tuple[Example, ...] = ()
    scorer: ScorerName
    labels: tuple[str, ...] = ()
    max_tokens: int = Field(default=64, gt=0, description="Tokens an answer may take.")


class Item(_Strict):
    """One question with its reference answer. `group` ties it to its paraphrases and near misses."""

    id: str
    group: str
    task: str
    level: Literal["easy", "mid", "hard"] | None = None
    input: str
    profile: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    scope: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, Literal["string", "number", "integer", "boolean"]] = Field(default_factory=dict, alias="schema")
    relation: dict[Literal["paraphrase_of", "opposite_of", "near_miss_of"], str] = Field(default_factory=dict)
    reference: JsonValue
    scorer: ScorerName | None = None
    author: str
    source: str
    licence: str

    @property
    def split(self) -> Split:
        """Three tenths train, two tenths validation, five tenths test."""
        tenth = int.from_bytes(hashlib.sha256(self.group.encode()).digest()[:8], "big") % 10
        return "train" if tenth < 3 else "validation" if tenth < 5 else "test"

    def text(self) -> str:
        """The last user message."""
        text = f"{self.profile}\nMessage: {self.input}" if self.profile else self.input
        if self.fields:
            text += "\nFields: " + ", ".join(f"{name} ({kind})" for name, kind in self.fields.items())
        return text


@dataclass(frozen=True)
class Workload:
    """Items and their tasks. `version` is a hash over both: recordings and artefacts say what they belong to."""

    name: str
    tasks: Mapping[str, Task]
    items: tuple[Item, ...]
    version: str

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        return {item.id: item for item in self.items}

    def split(self, split: Split) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == split)

    def scorer(self, item: Item) -> ScorerName:
        return item.scorer or self.tasks[item.task].scorer

    def request(self, item: Item, *, deadline_s: float = 120.0, sample: int = 0) -> Request:
        """The request every model gets for this item, greedy."""
        task = self.tasks[item.task]
        turns = [(example.input, example.output) for example in task.examples] + list(item.history)
        messages = [Message("system", task.instruction)]
        for asked, answered in turns:
            messages += [Message("user", asked), Message("assistant", answered)]
        messages.append(Message("user", item.text()))
        return Request(
            tuple(messages),
            task=item.task,
            scope=tuple(item.scope.items()),
            max_tokens=task.max_tokens,
            temperature=0.0,
            sample=sample,
            deadline_s=deadline_s,
        )


def load(folder: Path = BUILTIN) -> Workload:
    """Read a workload folder. Raises `BadInput` naming file, line and field."""
    tasks_file = folder / "tasks.toml"
    try:
        raw = tasks_file.read_bytes()
        tasks = {name: Task.model_validate(task) for name, task in tomllib.loads(raw.decode()).items()}
    except FileNotFoundError:
        raise BadInput(f"{tasks_file} is missing; a workload is a folder with tasks.toml and *.jsonl") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{tasks_file}: not TOML in UTF-8 ({error})") from None
    except ValidationError as error:
        raise BadInput(f"{tasks_file}: {_first(error)}") from None
    digest, items = hashlib.sha256(raw), list[Item]()
    for file in sorted(folder.glob("*.jsonl")):
        content = file.read_bytes()
        digest.update(content)
        items += _items(file, content, tasks)
    seen: dict[str, str] = {}
    for item in items:
        if item.id in seen:
            raise BadInput(f"{folder}: two items have the id {item.id!r}; ids must be unique")
        seen[item.id] = item.id
    if not items:
        raise BadInput(f"{folder}: no items; put them into *.jsonl, one JSON object a line")
    return Workload(folder.name, tasks, tuple(items), digest.hexdigest()[:16])


def _items(file: Path, content: bytes, tasks: Mapping[str, Task]) -> list[Item]:
    """The task of an item is its `task` field, or else the file's name."""
    items = []
    for number, line in enumerate(content.splitlines(), start=1):
        where = f"{file} line {number}"
        try:
            fields: Any = json.loads(line)
            if not isinstance(fields, dict):
                raise BadInput(f"{where}: a JSON object is needed, this is {type(fields).__name__}")
            item = Item.model_validate({"task": file.stem, **fields})
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise BadInput(f"{where}: not JSON in UTF-8 ({error})") from None
        except ValidationError as error:
            raise BadInput(f"{where}: {_first(error)}") from None
        if item.task not in tasks:
            raise BadInput(f"{where}: task {item.task!r} is not in tasks.toml (it has {', '.join(sorted(tasks))})")
        items.append(item)
    return items


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"field `{'.'.join(map(str, first['loc']))}`: {first['msg']}"
