"""Every request of a run in one string that a page can hold: both answers, both step traces, scores and the cause.

The document is compact JSON (each question once, repeated words by index, steps as arrays), gzipped, in base64;
`assets/requests.js` unpacks it and is the other half of the layout below. A page must stay a page: long texts are cut
and what does not fit is left out, requests whose two scores differ last, and both are said where they are shown.
`crossover explain` tells all of any request. Next: `sections/requests.py` (where the string goes).

    document = {words, items: [item], requests: [request]}
    item     = [id, task, question, history, reference]
    request  = [number, item, repeat, causes, cause, legacy row, direct row, others]
    row      = [text, model, error, score, reason, latency s, how timed, cost US dollars, how paid, who, route, steps]
    step     = [kind, outcome, start s, seconds, detail, after the answer, call]
    call     = [model, input tokens, output tokens, finish reason, seconds, how timed]
    other    = [name, text, score, reason, who]

A word stands as its index in `words`; null is not known, or not there.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.quality.attribution import EQUAL
from benchmarks.report.explain import CAUSES, WORDS, cause, paid_as, timed_as, who, why_unattributed
from benchmarks.rows import CALLS, HITS
from benchmarks.scenario import ARMS

if TYPE_CHECKING:
    from benchmarks.report.html.run import Run

PACKED_BYTES: Final = 800_000
"""The most that the string takes of a page."""
TEXT_CHARACTERS: Final = 4_000
"""The most that is kept of a question, a turn before it, a reference or an answer."""
DIGITS: Final = 6
ALIKE: Final = "no difference in score"
HEADS: Final = (*dict.fromkeys(CAUSES.values()), ALIKE, "unattributed", "not known")
"""What a cause can begin with."""
NO_ANSWER: Final = "no answer"
NOT_TOLD: Final = "not told"
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Packed:
    """The string, what the filters can choose from, and how many requests are in it and left out.

    `routes` are pairs of an arm and how it came to its answer.
    """

    data: str
    tasks: list[str]
    causes: list[str]
    routes: list[tuple[str, str]]
    here: int
    left_out: int


@dataclass(slots=True)
class _Words:
    """Words in the order in which they were first met."""

    places: dict[str, int] = field(default_factory=dict)

    def index(self, word: str | None) -> int | None:
        return None if word is None else self.places.setdefault(word, len(self.places))


def pack(run: Run, most_bytes: int = PACKED_BYTES) -> Packed:
    """All requests of the run, or as many as fit into `most_bytes`."""
    pairs: dict[int, dict[str, Document]] = {}
    for row in run.rows:
        pairs.setdefault(row["request"], {})[row["arm"]] = row
    others = _others(run.counterfactuals)
    told = {number: _cause(run.report, pair, others.get(number, {})) for number, pair in pairs.items()}
    chosen = sorted(pairs, key=lambda number: (not _differs(pairs[number]), number))
    data = _pack(run.report, pairs, others, told, chosen)
    while chosen and len(data) > most_bytes:
        chosen = chosen[: int(0.95 * len(chosen) * most_bytes / len(data))]
        data = _pack(run.report, pairs, others, told, chosen)
    here = [pairs[number] for number in chosen]
    heads = {head for number in chosen for head in heads_of(told[number])}
    routes = {(arm, route(row)) for pair in here for arm, row in pair.items()}
    return Packed(
        data,
        tasks=sorted({row["task"] for pair in here for row in pair.values()}),
        causes=[head for head in HEADS if head in heads],
        routes=sorted(routes, key=lambda each: (ARMS.index(each[0]), each[1])),
        here=len(chosen),
        left_out=len(pairs) - len(chosen),
    )


def route(row: Document) -> str:
    """How an arm came to its answer: the kind of step that found one or asked a model."""
    if row["error"]:
        return NO_ANSWER
    if row["steps"] is None:
        return NOT_TOLD
    kinds = [step["kind"] for step in row["steps"] if step["outcome"] == "ok" and not step["after_answer"]]
    hits, calls = [kind for kind in kinds if kind in HITS], [kind for kind in kinds if kind in CALLS]
    return str((hits or calls or [NOT_TOLD])[-1])


def heads_of(told: str) -> list[str]:
    """What the parts of a cause begin with: `explain.cause` puts a word of `HEADS` before each."""
    return [head for head in HEADS if any(f"{part}:".startswith(f"{head}:") for part in told.split("; "))]


def _others(counterfactuals: Sequence[Document]) -> dict[int, dict[str, Document]]:
    """The scored counterfactual rows by request and name, of the requests that have all of them."""
    found: dict[int, dict[str, Document]] = {}
    for row in counterfactuals:
        if row["score"] is not None:
            found.setdefault(row["request"], {})[row["arm"]] = row
    return {number: rows for number, rows in found.items() if set(rows) == set(WORDS)}


def _differs(pair: Mapping[str, Document]) -> bool:
    scores = [row["score"] for row in pair.values()]
    return len(scores) < 2 or None in scores or abs(scores[0] - scores[1]) > EQUAL


def _cause(report: Document, pair: Mapping[str, Document], others: Mapping[str, Document]) -> str:
    if set(pair) != set(ARMS):
        return f"not known: only {' and '.join(pair)} was asked"
    return cause(pair["legacy"], pair["direct"], others, why_unattributed(report))


def _pack(
    report: Document,
    pairs: Mapping[int, Mapping[str, Document]],
    others: Mapping[int, Mapping[str, Document]],
    told: Mapping[int, str],
    chosen: Sequence[int],
) -> str:
    words, items, places = _Words(), list[list[Any]](), dict[str, int]()
    requests = []
    for number in sorted(chosen):
        pair = pairs[number]
        first = next(iter(pair.values()))
        if first["item"] not in places:
            places[first["item"]] = len(items)
            items.append(_item(first, words))
        rows = [_row(arm, pair[arm], report, words) if arm in pair else None for arm in ARMS]
        heads = [words.index(head) for head in heads_of(told[number])]
        varied = [_other(name, row, words) for name, row in others.get(number, {}).items()]
        requests.append([number, places[first["item"]], int(first["repeat"]), heads, told[number], *rows, varied])
    document = {"words": list(words.places), "items": items, "requests": requests}
    whole = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(whole, mtime=0)).decode()


def _item(row: Document, words: _Words) -> list[Any]:
    reference = row["reference"]
    written = reference if isinstance(reference, str | None) else json.dumps(reference, ensure_ascii=False)
    turns = [[_cut(turn) for turn in turns] for turns in row["history"]]
    return [row["item"], words.index(row["task"]), _cut(row["question"]), turns, _cut(written)]


def _row(arm: str, row: Document, report: Document, words: _Words) -> list[Any]:
    timed, paid = timed_as(arm, row, report), paid_as(arm, report)
    return [
        _cut(row["text"]),
        words.index(row["model"]),
        _cut(row["error"]),
        _short(row["score"]),
        words.index(row["reason"]),
        _short(row["latency_s"]),
        words.index(timed.strip(" ()")),
        _short(row["cost_usd"]),
        words.index(paid.strip(" ()")),
        words.index(who(row)),
        words.index(route(row)),
        None if row["steps"] is None else [_step(step, words) for step in row["steps"]],
    ]


def _step(step: Document, words: _Words) -> list[Any]:
    call = step["call"]
    return [
        words.index(step["kind"]),
        words.index(step["outcome"]),
        _short(step["start_s"]),
        _short(step["seconds"]),
        step["detail"],
        int(step["after_answer"]),
        call
        and [
            words.index(call["model"]),
            call["input_tokens"],
            call["output_tokens"],
            words.index(call["finish_reason"]),
            _short(call["seconds"]),
            words.index(call["timing"]),
        ],
    ]


def _other(name: str, row: Document, words: _Words) -> list[Any]:
    said = _cut(row["error"] or row["text"])
    return [words.index(WORDS[name]), said, _short(row["score"]), words.index(row["reason"]), words.index(who(row))]


def _short(figure: float | None) -> float | int | None:
    """A figure to `DIGITS` digits, which is more than any is shown with."""
    return None if figure is None else float(f"{figure:.{DIGITS}g}")


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= TEXT_CHARACTERS:
        return text
    return f"{text[:TEXT_CHARACTERS]} [cut here: {len(text) - TEXT_CHARACTERS:,} more characters]"
