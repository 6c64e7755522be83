"""Pairs of requests, and whether one stored answer may serve both: what a semantic cache is judged on.

`crossover cache evaluate` reads a table with columns `a,b,same`, or takes the pairs of this folder. A cell is a text or
a JSON list of messages. Each pair goes through the shipped index and cache key: `a` is stored, `b` is asked.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.progress import over
from shared.contract import Message, Request
from shared.errors import BadInput, CrossoverError
from shared.files import DATA_BYTES, contents

if TYPE_CHECKING:
    from legacy_pipeline.cache import AnswerCache
    from legacy_pipeline.likeness import Likeness
    from legacy_pipeline.semantic import Encoder

BUILTIN: Final = Path(__file__).with_name("cache_pairs.csv")
TRUTH: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests. `same`: one answer serves both. `kind` says what the pair tries, "" where that is not told."""

    a: Request
    b: Request
    same: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the cache makes of a pair. None where it serves nothing at any threshold.

    `is_exact`: the key is the same. `gated` is the likeness, in [0, 1], by the second gate; `encoder` the cosine of the
    last messages where all before them is equal: the cache without that gate. `seconds` is one look-up.
    """

    is_exact: bool
    gated: float | None
    encoder: float | None
    seconds: float


def read(file: Path) -> list[Pair]:
    """The pairs of a CSV file. Raises `BadInput` naming line and column."""
    csv.field_size_limit(1 << 24)  # prompts can be long
    try:
        text = contents(file, DATA_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        missing = {"a", "b", "same"} - set(reader.fieldnames or ())
        if missing:
            raise BadInput(f"{file} has no column {', '.join(sorted(missing))}; the first line must name a,b,same")
        pairs = [_pair(row, f"{file} line {reader.line_num}") for row in reader]
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); name a CSV file with columns a,b,same") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file} is no CSV in UTF-8 ({error})") from None
    for wanted in (True, False):
        if not any(pair.same is wanted for pair in pairs):
            raise BadInput(f"{file} has no row whose `same` is {int(wanted)}; rates need both kinds of pairs")
    return pairs


def _pair(row: dict[str, str | None], where: str) -> Pair:
    same = TRUTH.get((row["same"] or "").strip().lower())
    if same is None:
        raise BadInput(f"{where}: column `same` is {row['same']!r}; it must be 1, true, yes, 0, false or no")
    requests = []
    for column in ("a", "b"):
        try:
            requests.append(_request(row[column] or ""))
        except (ValueError, TypeError, KeyError, RecursionError, CrossoverError) as error:
            raise BadInput(
                f"{where}: column `{column}` is no request ({error}); write a text, or a JSON list of "
                '{"role": ..., "content": ...} that ends with the user'
            ) from None
    return Pair(requests[0], requests[1], same, (row.get("kind") or "").strip())


def _request(cell: str) -> Request:
    """A text is one message of the user; a JSON list of objects is a conversation."""
    text = cell.strip()
    if not text:
        raise ValueError("it is empty")
    if not text.isascii():
        text.encode()  # half of a surrogate pair is no text
    messages = [Message("user", text)]
    if text.startswith("[") and isinstance(given := _json(text), list):
        for each in given:
            if extra := set(each) - {"role", "content"}:
                raise ValueError(f"a message has {', '.join(sorted(extra))}, which no request of ours has")
        messages = [Message(each["role"], each["content"]) for each in given]
    if not messages or messages[-1].role != "user":
        raise ValueError("the last message is not the user's")
    return Request(tuple(messages))


def _json(text: str) -> object:
    """The value, or None: "[Draft] How do I ..." is a question, no list."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def judge(pairs: Sequence[Pair], encoder: Encoder, likeness: Likeness) -> list[Judged]:
    """Every pair through the shipped index, each in an empty one. Blocks; seconds are this machine's."""
    from legacy_pipeline.cache import AnswerCache

    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch, closing(AnswerCache(scratch, [])) as cache:
        return [_judge(pair, cache, encoder, likeness) for pair in over("pairs judged", pairs)]


def _judge(pair: Pair, cache: AnswerCache, encoder: Encoder, likeness: Likeness) -> Judged:
    from legacy_pipeline.semantic import SemanticIndex

    index = SemanticIndex(encoder, threshold=0.0, likeness=likeness)
    index.add(cache.partition(pair.a), pair.a, "a")
    begun = time.perf_counter()  # the look-up itself is measured, in real time
    found = list(index.find(cache.partition(pair.b), pair.b))
    seconds = time.perf_counter() - begun
    one, other = (encoder.encode(each.messages[-1].content) for each in (pair.a, pair.b))
    if pair.a.messages[:-1] != pair.b.messages[:-1]:
        one = None
    return Judged(
        cache.key(pair.a) == cache.key(pair.b),
        found[0][1] if found else None,
        None if one is None or other is None else float(one @ other),
        seconds,
    )
