"""A table of questions, with references, ready outcomes or answers, becomes a workload and its recordings.

Rows are streamed and written as they come; what stays of each is a hash, to know the same question when it comes again.
A question is asked once: a row that is the same throughout counts as a duplicate, one that differs is set aside. Where
no column ties questions together, the group is the question itself without case and spacing, so that no two spellings
of it stand on both sides of a split.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from io import BufferedWriter
from pathlib import Path
from typing import IO, Any, Final, Literal, Self, get_args

from benchmarks.quality import json_fields, label, numeric, outcome, short_answer
from benchmarks.strict_json import loads
from benchmarks.targets.builtin import recording_path
from benchmarks.workloads.sources import Bad, Table, Tally, value
from benchmarks.workloads.workload import PARTS, Item, Part, ScorerName, Split, Task, Workload
from shared.backends.recorded import SCHEMA, Header, RecordedModel
from shared.contract import TEMPLATE_VERSION, canonical_json
from shared.errors import BadInput

Name = Literal["small", "large", "direct"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
MAX_TASKS: Final = 1000
MAX_LABELS: Final = 200
FEW_GROUPS: Final = 30
MAX_REPEATS: Final = 0.99
"""The largest share of repeats that a scenario takes."""
MASK: Final = (1 << 64) - 1
PLAIN: Final = re.compile(r"[-+]?\d+(?:\.\d+)?", re.ASCII)
PART_OF: Final[Mapping[Split, Part]] = {split: part for part, splits in PARTS.items() for split in splits}
SENTINEL: Final = "<the question>"
PLAIN_ITEM: Final = Item(id="", group="", task="", input=SENTINEL, reference=None, author="", source="", licence="")

INSTRUCTIONS: Final[Mapping[str, str]] = {
    "label": "Answer with one of these labels only: ",
    "numeric": "Answer with the number only.",
    "short_answer": "Answer as briefly as you can.",
    "json_fields": "Answer with one JSON object only.",
    "grammar": "Correct the text. Answer with the corrected text only.",
}
"""What models are told that are still to be asked, by scorer."""
GIVEN: Final = "Answer."
"""Stands in the keys of answers that were given elsewhere; what their models were told is not known."""

encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is what. `outcomes` and `texts` go by the model's name."""

    prompt: str | None = None
    reference: str | None = None
    scorer: ScorerName | None = None
    outcomes: Mapping[Name, str] = field(default_factory=dict)
    texts: Mapping[Name, str] = field(default_factory=dict)
    group: str | None = None
    task: str | None = None

    @property
    def answers(self) -> Mapping[Name, str]:
        return self.outcomes or self.texts

    def check(self, table: Table, file: Path) -> ScorerName:
        """The scorer of every item. Raises `BadInput` where the columns do not add up to a workload."""
        single = [self.prompt, self.reference, self.group, self.task]
        given = [column for column in (*single, *self.outcomes.values(), *self.texts.values()) if column]
        for column in given:
            if given.count(column) > 1:
                raise BadInput(f"column {column!r} is given twice; each option needs a column of its own")
            if column not in table.columns:
                near = get_close_matches(column, table.columns, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise BadInput(f"{file} has no column {column!r}{hint}; it has {_listed(table.columns)}")
        if self.prompt is None:
            raise BadInput(f"say which column holds the questions: --prompt COL; {file} has {_listed(table.columns)}")
        if self.outcomes:
            if self.texts or self.reference or self.scorer:
                raise BadInput(
                    "--small, --large and --direct are ready outcomes, which nothing scores again: leave out "
                    "--reference, --scorer and the --...-text options, or give texts instead of outcomes"
                )
            if len(self.outcomes) == 1:
                raise BadInput("one column of outcomes compares nothing; give two of --small, --large, --direct")
            return "outcome"
        if self.reference is None:
            raise BadInput(
                "nothing says what is right: give --reference COL and --scorer NAME, or ready outcomes with two of "
                "--small COL, --large COL, --direct COL"
            )
        if self.scorer is None or self.scorer not in INSTRUCTIONS:
            raise BadInput(f"--reference needs --scorer with one of {', '.join(INSTRUCTIONS)}")
        if len(self.texts) == 1:
            raise BadInput(
                "one column of answers compares nothing; give two of --small-text, --large-text, --direct-text"
            )
        return self.scorer


def write(table: Table, file: Path, columns: Columns, folder: Path, name: str, tally: Tally) -> list[str]:
    """Write the workload called `name` into `folder` and count in `tally`. Returns what a reader should be told.

    Raises `BadInput` where columns are missing, or all items fall into one split.
    """
    scorer = columns.check(table, file)
    writer = _Writer(file.name, table.unit, columns, scorer, folder, name)
    with writer:
        for number, row in table.rows:
            tally.rows += 1
            became = row if isinstance(row, Bad) else writer.add(number, row)
            if isinstance(became, Bad):
                tally.reject(number, became)
            elif became == "duplicate":
                tally.duplicates += 1
            else:
                tally.items += 1
    tally.check()
    writer.write_tasks()
    return writer.notes()


class _Writer:
    """The open files of a workload in the making, and what must be known of the rows before."""

    def __init__(self, file: str, unit: str, columns: Columns, scorer: ScorerName, folder: Path, name: str) -> None:
        self._file, self._unit, self._columns, self._scorer = file, unit, columns, scorer
        self._folder, self._name = folder, name
        before, self._after = question_frame(Task(instruction=GIVEN, scorer=scorer))
        self._begun = hashlib.sha256(before)
        self._seen: dict[bytes, int] = {}
        self._labels: dict[str, set[str]] = {}
        self._groups: set[int] = set()
        self._split = Counter[Part]()
        self._out: dict[tuple[Name, Part], IO[bytes]] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._items = self._closing.enter_context((self._folder / "items.jsonl").open("wb"))
        for name, column in self._columns.answers.items():
            for part in PARTS:
                self._out[name, part] = self._recording(name, column, part)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _recording(self, name: Name, column: str, part: Part) -> IO[bytes]:
        path = recording_path(self._folder, name, part)
        path.parent.mkdir(exist_ok=True)
        raw = self._closing.enter_context(path.open("wb"))
        packed = self._closing.enter_context(
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6)
        )
        out = self._closing.enter_context(BufferedWriter(packed, 1 << 18))
        header = Header(
            schema=SCHEMA,
            model=RecordedModel(provider="imported", name=name, sha256=""),
            workload=self._name,
            settings={
                "file": self._file,
                "column": column,
                "holds": "outcomes" if self._columns.outcomes else "texts",
                "finish_reason": "assumed",
            },
            date=f"{datetime.now(UTC):%Y-%m-%d}",
        )
        out.write(canonical_json(header.model_dump(mode="json", by_alias=True)).encode() + b"\n")
        return out

    def add(self, number: int, row: Mapping[str, Any]) -> Bad | Literal["item", "duplicate"]:
        """Write one row, unless it is bad or was there before."""
        columns = self._columns
        identity = f"{self._unit}-{number}"
        try:
            prompt = _text(row, columns.prompt or "", "empty prompt")
            task = _name(row, columns.task) if columns.task else "imported"
            group = _name(row, columns.group) if columns.group else _spelling(prompt)
            reference = _reference(self._scorer, row, columns.reference) if columns.reference else None
            answers = {name: encode(self._answer(row, column)).encode() for name, column in columns.answers.items()}
            rest = hash((task, group, encode(reference), *answers.values())) & MASK
            asked = encode(prompt).encode()
            item = {
                "id": identity,
                "group": group,
                "task": task,
                "input": prompt,
                "reference": reference,
                "author": "unknown",
                "source": self._file,
                "licence": "not stated",
            }
            line = encode(item).encode()
        except _Unfit as unfit:
            return Bad(str(unfit), row)
        except UnicodeEncodeError:
            return Bad("half of a surrogate pair, which is no text in UTF-8", row)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            return Bad("a value that JSON cannot hold (not a number, a date, bytes, too many digits, too deep)", row)
        hashed = self._begun.copy()
        hashed.update(asked + self._after)
        before = self._seen.setdefault(hashed.digest()[:16], number << 64 | rest)
        if before >> 64 != number:
            if before & MASK == rest:
                return "duplicate"
            return Bad(f"the question of {self._unit} {before >> 64} again, with another answer, group or task", row)
        self._items.write(line + b"\n")
        part = PART_OF[PLAIN_ITEM.model_copy(update={"group": group}).split]
        start = f'{{"finish_reason":"stop","id":"{identity}","key":"{hashed.hexdigest()}","text":'.encode()
        for name, text in answers.items():
            self._out[name, part].write(start + text + b"}\n")
        self._count(part, task, group, reference)
        return "item"

    def _count(self, part: Part, task: str, group: str, reference: Any) -> None:
        self._split[part] += 1
        labels = self._labels.setdefault(task, set())
        if self._scorer == "label":
            labels.add(reference)
        if self._columns.group:
            self._groups.add(hash(group))
        if len(self._labels) > MAX_TASKS:
            raise BadInput(
                f"column {self._columns.task!r} has over {MAX_TASKS:,} values; is it a task? Leave --task out"
            )
        if len(labels) > MAX_LABELS:
            raise BadInput(
                f"column {self._columns.reference!r} has over {MAX_LABELS} different labels; use --scorer short_answer"
            )

    def _answer(self, row: Mapping[str, Any], column: str) -> str:
        if not self._columns.outcomes:
            given = _worded(value(row, column))
            return given if given == "" else _text({column: given}, column, "no answer")  # "": the model said nothing
        given = outcome.parse(value(row, column))
        if given is None:
            raise _Unfit(f"column `{column}`: no outcome; write true, false, yes, no, or a number from 0 to 1")
        return f"{given:g}" if given in (0, 1) else repr(given)

    def write_tasks(self) -> None:
        """Raises `BadInput` where nothing is left to compare on."""
        if not self._split["test"]:
            raise BadInput(
                f"all {self._split['training']:,} items fall into the training split, none is left to compare on; "
                "give more rows" + (f", or leave out --group {self._columns.group}" if self._columns.group else "")
            )
        recorded = bool(self._columns.answers)
        tables = ["# Changing an instruction makes the recordings unfit: it is part of the question.\n"] * recorded
        for task, found in sorted(self._labels.items()):
            labels = sorted(found)
            instruction = GIVEN if recorded else INSTRUCTIONS[self._scorer]
            if self._scorer == "label" and not recorded:
                instruction += ", ".join(labels)
            tables.append(
                f"[{toml(task)}]\nscorer = {toml(self._scorer)}\n"
                + (f"labels = {toml(labels)}\n" if labels else "")
                + f"instruction = {toml(instruction)}\n"
            )
        (self._folder / "tasks.toml").write_text("\n".join(tables), encoding="utf-8")

    def notes(self) -> list[str]:
        """How the items were split, and what is odd about it."""
        split = f"training {self._split['training']:,} items, test {self._split['test']:,}"
        if not self._columns.group:
            return [split]
        few = (
            f"; few: if {self._columns.group!r} is a topic, give it as --task" if len(self._groups) < FEW_GROUPS else ""
        )
        return [f"{split}, split by {len(self._groups):,} groups{few}"]


def question_frame(task: Task) -> tuple[bytes, bytes]:
    """What `recording_key` hashes before and after the item's own text, as JSON, for the plain items of one task."""
    request = Workload("", {"": task}, (), "").request(PLAIN_ITEM)
    asked = canonical_json({"prompt": request.prompt(), "template": TEMPLATE_VERSION})
    before, after = asked.split(encode(SENTINEL))
    return before.encode(), after.encode()


class _Unfit(Exception):
    """A row cannot be used."""


def _text(row: Mapping[str, Any], column: str, empty: str) -> str:
    given = value(row, column)
    if given is None or given == "":
        raise _Unfit(f"column `{column}`: {empty}")
    if isinstance(given, list) and all(isinstance(each, dict) and "role" in each for each in given):
        raise _Unfit(f"column `{column}`: messages, no text; import a log with --from, or name a column of texts")
    if not isinstance(given, str):
        raise _Unfit(f"column `{column}`: a text is needed, this is {type(given).__name__}")
    if given.isspace():
        raise _Unfit(f"column `{column}`: {empty}")
    return given


def _name(row: Mapping[str, Any], column: str) -> str:
    given = value(row, column)
    return str(given) if type(given) is int else _text(row, column, "empty").strip()


def _worded(given: Any) -> Any:
    """A truth value or a number as text, as a label is one; anything else as it is."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float):
        return str(int(given)) if given.is_integer() else str(given) if math.isfinite(given) else given
    return str(given) if isinstance(given, int) else given


def _spelling(prompt: str) -> str:
    return hashlib.sha256(" ".join(prompt.casefold().split()).encode()).hexdigest()[:16]


def _reference(scorer: ScorerName, row: Mapping[str, Any], column: str) -> Any:
    """The cell in the form its scorer takes, which must take it as a right answer, too."""
    given = value(row, column)
    reference: Any = given.strip() if isinstance(given, str) else given
    if reference is None or reference == "":
        raise _Unfit(f"column `{column}`: no reference")
    right = False
    if scorer == "label":
        reference = _worded(reference)
        right = isinstance(reference, str) and label.score(reference, reference, ())[0] == 1
    elif scorer == "numeric":
        reference = _number(reference)
        parsed = numeric.parse(reference)
        right = parsed is not None and numeric.score(str(reference), *parsed)[0] == 1
    elif scorer in ("short_answer", "grammar"):
        reference = _spellings(reference)
        right = bool(reference) and all(short_answer.score(each, reference)[0] == 1 for each in reference)
    elif scorer == "json_fields":
        reference = _parsed(reference) if isinstance(reference, str) else reference
        right = (
            isinstance(reference, dict) and bool(reference) and json_fields.score(encode(reference), reference)[0] == 1
        )
    if not right:
        raise _Unfit(f"column `{column}`: scorer {scorer} does not take this reference; it needs {NEEDS[scorer]}")
    return reference


NEEDS: Final[Mapping[str, str]] = {
    "label": "a label",
    "numeric": "a plain number such as -1234.5, or one with its unit such as 3.5 km",
    "short_answer": "a text, or a JSON list of accepted texts",
    "json_fields": "a JSON object with fields",
    "grammar": "a corrected text, or a JSON list of accepted ones",
}


def _number(given: Any) -> float | int | str | None:
    if isinstance(given, str):
        if not PLAIN.fullmatch(given):
            return given if numeric.parse(given) else None
        given = float(given) if "." in given else int(given)
    return given if type(given) in (int, float) and math.isfinite(given) else None


def _spellings(given: Any) -> list[str]:
    if isinstance(given, str):
        several = _parsed(given) if given.startswith("[") else None
        given = several if isinstance(several, list) else [given]
    elif type(given) in (int, float):
        given = [str(given)]
    return given if isinstance(given, list) and all(isinstance(each, str) for each in given) else []


def _parsed(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def _listed(columns: Sequence[str], shown: int = 20) -> str:
    return f"the columns {', '.join(columns[:shown])}" + (
        f" and {len(columns) - shown:,} more" * (len(columns) > shown)
    )


def toml(given: str | list[str]) -> str:
    """A text or a list of texts in TOML: JSON spells both alike, but for the delete character."""
    return encode(given).replace("\x7f", "\\u007f")


def scenario(file: str, columns: Columns, tally: Tally) -> str:
    """A scenario that compares what was imported, and says what it assumes."""
    have = frozenset(columns.answers)
    small, large, direct = (f"recorded:{name}" for name in NAMES)
    about = "Its answers are imported."
    if have == {"small", "large"}:
        direct = small
        about = "It holds no direct model: the small one stands there, alone against the cascade of both."
    elif have == {"small", "direct"}:
        large = small
        about = "It holds no large model: legacy is the small one behind a cache, so nothing is routed."
    elif have == {"large", "direct"}:
        small = large
        about = "It holds no small model: legacy is the large one behind a cache, so nothing is routed."
    elif not have:
        small, large, direct = "local:qwen-0.5b", "local:qwen-1.5b", "local:qwen-0.5b-burnt-3-6"
        about = (
            "It holds questions and references. These models answer them here, after: crossover models pull\n"
            "# Put yours in their place: litellm:NAME or http:URL#MODEL."
        )
    share, whence = 0.31, "a study's figure (arXiv 2403.02694); put in your own"
    if tally.duplicates:
        share = min(tally.duplicates / (tally.items + tally.duplicates), MAX_REPEATS)
        whence = "as in your file"
    prices = " (tokens were not imported)" if have else ", or a million tokens: { input = 0.15, output = 0.60 }"
    return f"""# Imported by crossover from {toml(file)}.
# {about}
[traffic]
workload = "."
repeat_share = {share:.3g}  # how many requests repeat an earlier one: {whence}

# Cost is not known without prices: US dollars a call, as here{prices}.
[legacy]
small = "{small}"
large = "{large}"
# small_price = {{ per_call = 0.0004 }}
# large_price = {{ per_call = 0.004 }}

[direct]
model = "{direct}"
# price = {{ per_call = 0.0001 }}
"""
