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
from shared.files import DATA_BYTES, contents

Split = Literal["train", "validation", "test"]
ScorerName = Literal["label", "numeric", "short_answer", "json_fields", "grammar", "outcome"]

Part = Literal["training", "test"]
PARTS: Final[Mapping[Part, frozenset[Split]]] = {
    "training": frozenset({"train", "validation"}),
    "test": frozenset({"test"}),
}
"""What is recorded together: all that anything may be fitted on, and all that is judged on."""

BUILTIN = Path(__file__).parent / "builtin"
SAMPLED_AT: Final = 0.7
"""Temperature of sampled answers: that of the majority votes in arXiv 2203.11171 (self-consistency)."""
SAMPLED_SEED: Final = 7


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

    def request(
        self,
        item: Item,
        *,
        deadline_s: float = 120.0,
        temperature: float = 0.0,
        seed: int | None = None,
        sample: int = 0,
    ) -> Request:
        """The request every model gets for this item; greedy unless a temperature is given."""
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
            temperature=temperature,
            seed=seed,
            sample=sample,
            deadline_s=deadline_s,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no item, and why."""

    file: str
    line: int
    fault: str


def load(folder: Path = BUILTIN) -> Workload:
    """Read a workload folder. Raises `BadInput` naming file, line and field."""
    workload, faults = read(folder)
    for first in faults:
        raise BadInput(f"{first.file} line {first.line}: {first.fault}; all faults: crossover workload check {folder}")
    return workload


def read(path: Path) -> tuple[Workload, list[Fault]]:
    """The readable items of a folder or of one *.jsonl beside its tasks.toml, and every line that is none.

    Raises `BadInput` where tasks.toml or a file cannot be read, or no line is there.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist; name a workload folder, or a *.jsonl beside its tasks.toml")
    if path.is_file() and path.suffix != ".jsonl":
        raise BadInput(f"{path} is no *.jsonl; name a workload folder, or a *.jsonl beside its tasks.toml")
    folder = path.parent if path.is_file() else path
    raw, tasks = _tasks(folder / "tasks.toml")
    digest, items, faults, seen = hashlib.sha256(raw), list[Item](), list[Fault](), dict[str, str]()
    for file in [path] if path.is_file() else sorted(folder.glob("*.jsonl")):
        content = _bytes(file)
        digest.update(content)
        for number, line in enumerate(content.splitlines(), start=1):
            parsed = _parse(line, file.stem, tasks)
            if isinstance(parsed, Item) and parsed.id in seen:
                parsed = f"the id {parsed.id!r} is that of {seen[parsed.id]}; ids must be unique"
            if isinstance(parsed, Item):
                seen[parsed.id] = f"{file.name} line {number}"
                items.append(parsed)
            else:
                faults.append(Fault(str(file), number, parsed))
    if not items and not faults:
        raise BadInput(f"{path}: no items; put them into *.jsonl, one JSON object a line")
    name = path.stem if path.is_file() else path.resolve().name
    return Workload(name, tasks, tuple(items), digest.hexdigest()[:16]), faults


def _tasks(file: Path) -> tuple[bytes, dict[str, Task]]:
    raw = _bytes(file)
    try:
        described = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file}: not TOML in UTF-8 ({error})") from None
    tasks, faults = dict[str, Task](), list[str]()
    for name, fields in described.items():
        try:
            tasks[name] = Task.model_validate(fields)
        except ValidationError as error:
            faults.append(f"task {name}, {_fields(error)}")
    if faults:
        raise BadInput(f"{file}: {'; '.join(faults)}")
    return raw, tasks


def _bytes(file: Path) -> bytes:
    try:
        return contents(file, DATA_BYTES)
    except FileNotFoundError:
        raise BadInput(f"{file} is missing; a workload is a folder with tasks.toml and *.jsonl") from None
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); it must be a file that may be read") from None


def _parse(line: bytes, task: str, tasks: Mapping[str, Task]) -> Item | str:
    """The line's item, or what is wrong with it: every field that is. The task is `task`, else the file's name."""
    try:
        fields: Any = json.loads(line)
        if not isinstance(fields, dict):
            return f"a JSON object is needed, this is {type(fields).__name__}"
        json.dumps(fields, ensure_ascii=False).encode()
        item = Item.model_validate({"task": task, **fields})
    except ValidationError as error:
        return _fields(error)
    except UnicodeEncodeError:
        return "half of a surrogate pair stands in a text; write the character itself in UTF-8"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"not JSON in UTF-8 ({error})"
    if item.task not in tasks:
        return f"field `task`: {item.task!r} is not in tasks.toml (it has {', '.join(sorted(tasks))})"
    return item


def _fields(error: ValidationError) -> str:
    return "; ".join(f"field `{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors())
