"""`crossover votes`: what speed buys in quality, by a majority of N samples of the same model, from its recordings.

The texts are recorded: N samples a question at temperature 0.7, and the greedy answer beside them. The seconds are
emulated: the same vote over an emulated row of the hardware catalogue, one question at a time in virtual time, its N
samples side by side as far as the row's capacity goes. The recorded model stands in for the one that the row serves,
and so do its token counts. Costs are list prices, else rent, else what a vendor's claim leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.latency.quantiles import quantile
from benchmarks.progress import over
from benchmarks.published.reach import on_hardware
from benchmarks.quality.decision import decide
from benchmarks.quality.score import score
from benchmarks.table_text import Table
from benchmarks.targets.builtin import recording_path
from benchmarks.workloads.workload import BUILTIN, SAMPLED_AT, SAMPLED_SEED, Item, Workload, load
from shared import clock
from shared.backends.emulated import EmulatedBackend
from shared.backends.recorded import RecordedBackend, Recording, read_recording, recording_key
from shared.backends.vote import VoteBackend
from shared.contract import Backend, Completion, Request
from shared.errors import BadInput
from shared.hardware.catalogue import Hardware, catalogue
from shared.pricing import Price

MODEL: Final = "qwen-0.5b-burnt-3-6"
SERVES: Final = "Llama 3.1 8B"
"""The model that the recorded one stands in for: rows that serve it are shown."""
MOST: Final = 5
ACCEPTABLE: Final = 1.0
"""Least score of an acceptable decision: both tasks with samples are scored 0 or 1."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """The test questions that have samples and a greedy answer."""

    workload: Workload
    items: tuple[Item, ...]
    samples: Recording
    greedy: Recording

    def of(self, task: str) -> list[int]:
        """The places of a task's questions, or of all."""
        return [place for place, item in enumerate(self.items) if task in (item.task, "all")]

    def scores(self, answers: Sequence[Completion]) -> list[float]:
        return [score(each.text, item, self.workload).value for each, item in zip(answers, self.items, strict=True)]


def measure(*, folder: Path = BUILTIN, files: Sequence[Path] = ()) -> dict[str, Any]:
    """Every figure by task and N, as one document: shares, seconds, US dollars. Unknown is None.

    Raises `BadInput` where a recording is missing, or has no question with as many samples.
    """
    sampled = _sampled(folder)
    tasks = [*dict.fromkeys(item.task for item in sampled.items), "all"]
    greedy = clock.run(_ask(RecordedBackend(sampled.greedy), sampled), virtual=True)
    marks = sampled.scores(greedy)
    rows = [row for row in catalogue(*files).values() if row.model == SERVES]
    votes: dict[int, list[Completion]] = {}
    quality: dict[str, dict[str, Any]] = {task: {"greedy": _right(marks, sampled.of(task))} for task in tasks}
    for n in over("votes", range(1, MOST + 1)):
        votes[n] = clock.run(_ask(_voting(RecordedBackend(sampled.samples), n), sampled), virtual=True)
        scores = sampled.scores(votes[n])
        for task in tasks:
            quality[task][str(n)] = _compared(marks, scores, sampled, task)
    answers = {"greedy": greedy, **{str(n): each for n, each in votes.items()}}
    return {
        "model": MODEL,
        "stands_in_for": SERVES,
        "samples": {"temperature": SAMPLED_AT, "seed": SAMPLED_SEED, "most": MOST},
        "questions": {task: len(sampled.of(task)) for task in tasks},
        "standings": {"quality": "recorded", "seconds": "emulated", "usd": "assumed", "at_claimed": "vendor-claimed"},
        "quality": quality,
        "hardware": {row.id: _on(row, sampled, answers, quality, tasks) for row in rows},
    }


def _sampled(folder: Path) -> Sampled:
    workload = load(folder)
    samples = read_recording(recording_path(folder, MODEL, "samples"))
    greedy = read_recording(recording_path(folder, MODEL, "test"))
    items = tuple(
        item
        for item in workload.split("test")
        if recording_key(workload.request(item)) in greedy.rows
        and all(recording_key(_request(workload, item, sample)) in samples.rows for sample in range(MOST))
    )
    if not items:
        raise BadInput(
            f"{folder} has no test question with {MOST} recorded samples of {MODEL}; "
            f"run: crossover record --model {MODEL} --samples {MOST}"
        )
    return Sampled(workload, items, samples, greedy)


def _request(workload: Workload, item: Item, sample: int) -> Request:
    return workload.request(item, temperature=SAMPLED_AT, seed=SAMPLED_SEED, sample=sample)


def _voting(inner: Backend, n: int) -> VoteBackend:
    return VoteBackend(inner, n, temperature=SAMPLED_AT, seed=SAMPLED_SEED)


async def _ask(backend: Backend, sampled: Sampled) -> list[Completion]:
    """One question after the other: nobody else is in the queue."""
    return [await backend.complete(sampled.workload.request(item)) for item in sampled.items]


def _right(scores: Sequence[float], places: Sequence[int]) -> float:
    return sum(scores[place] >= ACCEPTABLE for place in places) / len(places)


def _compared(greedy: Sequence[float], votes: Sequence[float], sampled: Sampled, task: str) -> dict[str, Any]:
    places = sampled.of(task)
    decision = decide(
        [greedy[place] for place in places],
        [votes[place] for place in places],
        [sampled.items[place].group for place in places],
    )
    return {"right": _right(votes, places), "less_greedy": decision.document()}


def _on(
    row: Hardware,
    sampled: Sampled,
    answers: Mapping[str, Sequence[Completion]],
    quality: Mapping[str, Mapping[str, Any]],
    tasks: Sequence[str],
) -> dict[str, Any]:
    """Seconds and dollars of one hardware row, by task and N.

    No seconds where it has no pace, nor of several votes where nobody knows how many it serves at once.
    """
    reach = on_hardware(row)
    found: dict[str, Any] = {task: {} for task in tasks}
    for key, texts in answers.items():
        timed: Sequence[Completion] | None = None
        if reach.pace and (key in ("greedy", "1") or reach.pace.capacity is not None):
            recording = sampled.greedy if key == "greedy" else sampled.samples
            emulated: Backend = EmulatedBackend(RecordedBackend(recording), row.with_shipped())
            timed = clock.run(_ask(emulated if key == "greedy" else _voting(emulated, int(key)), sampled), virtual=True)
        for task in tasks:
            places = sampled.of(task)
            right = quality[task][key] if key == "greedy" else quality[task][key]["right"]
            found[task][key] = {
                **_seconds([timed[place].seconds for place in places] if timed else [None]),
                "usd_per_answer": _usd(reach.price, [texts[place] for place in places]),
                **{
                    f"usd_per_decision{name}": _per_decision(price, [texts[place] for place in places], right)
                    for name, price in (("", reach.price), ("_at_claimed", reach.claimed))
                },
            }
    return {"capacity": reach.pace.capacity if reach.pace else None, "price_source": reach.price.source, **found}


def _seconds(seconds: Sequence[float | None]) -> dict[str, float | None]:
    known = [each for each in seconds if each is not None]
    if len(known) < len(seconds):
        return {"mean_s": None, "p50_s": None, "p95_s": None}
    p50, p95 = quantile(known, 0.50), quantile(known, 0.95)
    return {
        "mean_s": sum(known) / len(known),
        "p50_s": None if p50 is None else p50.value,
        "p95_s": None if p95 is None else p95.value,
    }


def _usd(price: Price | None, answers: Sequence[Completion]) -> float | None:
    costs = [None if price is None else price.cost(each.usage) for each in answers]
    known = [each for each in costs if each is not None]
    return sum(known) / len(known) if len(known) == len(costs) else None


def _per_decision(price: Price | None, answers: Sequence[Completion], right: float) -> float | None:
    usd = _usd(price, answers)
    return usd / right if usd is not None and right else None


def tables(document: Mapping[str, Any]) -> list[Table]:
    """Quality by task, then seconds and cost by hardware row over all questions."""
    return [_quality_table(document), _hardware_table(document, "p50_s"), _cost_table(document)]


def _quality_table(document: Mapping[str, Any]) -> Table:
    keys = [str(n) for n in range(1, MOST + 1)]
    rows = []
    for task, quality in document["quality"].items():
        cells = []
        for key in keys:
            gap = quality[key]["less_greedy"]
            cells.append(
                f"{quality[key]['right']:.1%} ({gap['estimate'] * 100:+.1f} [{gap['low'] * 100:+.1f}, "
                f"{gap['high'] * 100:+.1f}], {gap['word']})"
            )
        rows.append((task, str(document["questions"][task]), f"{quality['greedy']:.1%}", *cells))
    return Table(
        f"Right answers of {document['model']} by votes",
        "Recorded. In brackets: less the greedy answers, in points, with a paired 95 % interval "
        "over groups of questions, and its word at a margin of 2 points.",
        ("task", "questions", "greedy", *(f"{key} vote{'s' * (key != '1')}" for key in keys)),
        rows,
    )


def _hardware_table(document: Mapping[str, Any], figure: str) -> Table:
    rows = [
        (id_, "not known" if row["capacity"] is None else str(row["capacity"]),
         *(_milli(each[figure], "ms") for each in row["all"].values()))
        for id_, row in document["hardware"].items()
    ]  # fmt: skip
    return Table(
        "Seconds by hardware row",
        f"Emulated, median, one question at a time. {document['model']} stands in for {document['stands_in_for']}, "
        "with its own token counts. The votes of a question are asked at once and queue beyond the row's capacity, "
        "which is mostly assumed (crossover hardware show ID); where it is not known, neither is their time.",
        ("row", "capacity", "greedy", *(f"{n} vote{'s' * (n > 1)}" for n in range(1, MOST + 1))),
        rows,
    )


def _cost_table(document: Mapping[str, Any]) -> Table:
    rows = []
    for id_, row in document["hardware"].items():
        cells = row["all"].values()
        known = all(each["usd_per_decision"] is not None for each in cells)
        name = "usd_per_decision" if known else "usd_per_decision_at_claimed"
        claimed = not known and all(each[name] is not None for each in cells)
        standing = row["price_source"] if known else "vendor-claimed" if claimed else "not known"
        rows.append((id_, standing, *(_milli(each[name], "") for each in cells)))
    return Table(
        "US dollars per 1,000 acceptable decisions",
        "Tokens of every vote (a stand-in's counts: assumed) at the row's list price, or at its rent and an assumed "
        "throughput and utilisation, or at the price that the vendor's claim of 20 times cheaper leads to, over right "
        "answers.",
        ("row", "price", "greedy", *(f"{n} vote{'s' * (n > 1)}" for n in range(1, MOST + 1))),
        rows,
    )


def _milli(value: float | None, unit: str) -> str:
    return "not known" if value is None else f"{value * 1000:.3g} {unit}".rstrip()
