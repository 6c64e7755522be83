"""What clients and pipelines add to an answer: beside how long fast hardware takes for one, is it much?

Real time on this machine. Every round asks each of `ways.py` once, in an order drawn anew, so that whatever else the
machine does hits all alike, and differences to the bare way are taken within a round. Two equal bare ways come out
different as well: that is the floor, and nothing below it is claimed. How long an answer takes is the hardware
catalogue's word, and no measurement.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.latency.floor import claim
from benchmarks.latency.paired_delta import delta
from benchmarks.latency.quantiles import Estimate, of_series
from benchmarks.machine import machine
from benchmarks.progress import Progress
from benchmarks.ways import OUTPUT_TOKENS, How, Way, Ways, opened
from shared.hardware.catalogue import Figure, find
from shared.hardware.pace import NEEDED, pace

HARDWARE: Final = ("hc1", "cerebras-8b", "h100-8b")
INPUT_TOKENS: Final = 50
ROUNDS: Final = 300
WARM_UP: Final = 5
SETTLE: Final = 20
"""Turns of the event loop between two calls: what one leaves behind must not be the next one's."""

Key = tuple[str, How, bool]
Samples = Mapping[Key, Sequence[float]]


def where(rounds: int = ROUNDS, hardware: Sequence[str] = HARDWARE) -> dict[str, Any]:
    """Measure, and give the document: seconds, with intervals of 95 %; None where the rounds are too few.

    Raises `BadInput` for hardware that the catalogue does not know, or whose pace nobody knows.
    """
    answers = {id_: _answer(id_) for id_ in hardware}
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        found, samples = asyncio.run(_measured(rounds, Path(folder)))
    floors = {_bare(way): _floor(way, samples) for way in found.ways if way.twin}
    return {
        "schema": "crossover-where/1",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine() | {"load_1m": [*load, os.getloadavg()[0]]},
        "rounds": rounds,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "hardware": answers,
        "floor_s": {f"{name}, {how}": seconds for (name, how), seconds in floors.items()},
        "ways": [
            _compared(way, samples, floors, {id_: each["answer_s"] for id_, each in answers.items()})
            for way in found.ways
            if way.over
        ],
        "legacy_steps_s": {kind: _dict(of_series(seconds, 0.5)) for kind, seconds in found.steps_s.items()},
        "left_out": found.left_out,
    }


async def _measured(rounds: int, cache: Path) -> tuple[Ways, Samples]:
    rng = random.Random(7)  # noqa: S311  # a seeded order, no secret
    async with opened(cache) as found:
        samples: dict[Key, list[float]] = {_key(way): [] for way in found.ways}
        with Progress("rounds", WARM_UP + rounds) as progress:
            for number in range(WARM_UP + rounds):
                if number == WARM_UP:
                    found.steps_s.clear()
                for way in rng.sample(found.ways, len(found.ways)):
                    for _ in range(SETTLE):
                        await asyncio.sleep(0)
                    seconds = await way.call()
                    if number >= WARM_UP:
                        samples[_key(way)].append(seconds)
                progress.step()
        return found, samples


def _key(way: Way) -> Key:
    return way.name, way.how, way.twin


def _bare(way: Way) -> tuple[str, How]:
    """The bare way that a way is held against; what stays in the process is whole in any case."""
    if way.over is None:
        return way.name, way.how
    return way.over, "whole" if way.over == "bare backend" else way.how


def _floor(twin: Way, samples: Samples) -> float | None:
    """The most, in seconds, that the same comparison tells two equal bare ways apart by."""
    key = twin.name, twin.how
    found = delta(samples[*key, False], samples[*key, True], 0.5).of_differences
    return None if found is None else max(abs(found.low), abs(found.high))


def _compared(
    way: Way, samples: Samples, floors: Mapping[tuple[str, How], float | None], answers_s: Mapping[str, float]
) -> dict[str, Any]:
    adds = delta(samples[*_bare(way), False], samples[_key(way)], 0.5).of_differences
    said = claim(adds.value if adds else None, floors[_bare(way)])
    return {
        "name": way.name,
        "how": way.how,
        "over": way.over,
        "adds_s": _dict(adds),
        "claim": "above the floor" if isinstance(said, float) else said,
        "times_answer": {
            id_: said / answer_s if isinstance(said, float) else None for id_, answer_s in answers_s.items()
        },
    }


def _dict(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate)


def _answer(id_: str) -> dict[str, Any]:
    """What one answer takes on that hardware, and who says so; low and high by the ranges of what is assumed."""
    row = find(id_).with_shipped()
    figures = {name: row.figures[name] for name in NEEDED}
    seconds = {
        end: pace(replace(row, figures={**row.figures, **{name: _at(figures[name], end) for name in figures}})).seconds(
            INPUT_TOKENS, OUTPUT_TOKENS
        )
        for end in ("low", "high")
    }
    return {
        "name": row.name,
        "answer_s": pace(row).seconds(INPUT_TOKENS, OUTPUT_TOKENS),
        "answer_low_s": min(seconds.values()),
        "answer_high_s": max(seconds.values()),
        "standing": {name: figure.standing for name, figure in figures.items()},
    }


def _at(figure: Figure, end: str) -> Figure:
    bound = figure.low if end == "low" else figure.high
    return figure if bound is None else replace(figure, value=bound)


def text(document: Mapping[str, Any]) -> str:
    """The document as a table for a terminal, with its notes."""
    table = [["", "adds (95 % interval)", *(f"x {id_}" for id_ in document["hardware"])], *_rows(document)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in table]
    return "\n".join([_head(document), "", lines[0], "-" * max(map(len, lines)), *lines[1:], "", *_notes(document)])


def markdown(document: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    head = ["", "adds (95 % interval)", *(f"x {id_}" for id_ in document["hardware"])]
    lines = [head, ["---", *("--:" for _ in head[1:])], *_rows(document)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([_head(document), "", *table, "", *(f"- {note}" for note in _notes(document))])


def _head(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    return (
        f"What clients and pipelines add to an answer, at the median of {document['rounds']} interleaved rounds: "
        f"measured on {machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, {document['date']}, "
        f"load {machine['load_1m'][0]:.1f} before and {machine['load_1m'][1]:.1f} after."
    )


def _rows(document: Mapping[str, Any]) -> list[list[str]]:
    ways = sorted(document["ways"], key=lambda way: (way["over"] != "bare socket", way["how"] != "whole"))
    rows = [[f"{way['name']}, {way['how']}", _adds(way), *map(_times, way["times_answer"].values())] for way in ways]
    for kind, found in document["legacy_steps_s"].items():
        times = [found and found["value"] / each["answer_s"] for each in document["hardware"].values()]
        rows.append([f"  of a miss: {kind}", _interval(found), *map(_times, times)])
    return rows


def _adds(way: Mapping[str, Any]) -> str:
    return _interval(way["adds_s"]) if way["claim"] == "above the floor" else str(way["claim"])


def _interval(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "not measured"
    value, low, high = (found[key] * 1e3 for key in ("value", "low", "high"))
    return f"{value:.3f} ms ({low:.3f} to {high:.3f})"


def _times(times: float | None) -> str:
    if times is None:
        return ""
    return "<0.001" if times < 0.001 else f"{times:.3f}" if times < 1 else f"{times:.1f}"


def _notes(document: Mapping[str, Any]) -> list[str]:
    tokens = document["output_tokens"]
    notes = [
        "Clients over a bare socket that asks the same of a server on loopback, which answers at once; streamed "
        f"answers come as {tokens} events in one piece. Pipelines over the backend that they ask, in the same process. "
        "The legacy pipeline's store comes after the answer is out, and is not in the miss."
    ]
    for id_, each in document["hardware"].items():
        said = ", ".join(f"{figure} {standing}" for figure, standing in each["standing"].items())
        longer = [
            f"{way['name']}, {way['how']} ({_times(way['times_answer'][id_])} times)"
            for way in document["ways"]
            if (way["times_answer"][id_] or 0) > 1
        ]
        notes.append(
            f"{id_}: {each['name']} takes {each['answer_s'] * 1e3:.1f} ms ({each['answer_low_s'] * 1e3:.1f} to "
            f"{each['answer_high_s'] * 1e3:.1f} by what is assumed) for {tokens} tokens after a prompt of "
            f"{document['input_tokens']} (emulated: {said}). Takes longer than the answer itself: "
            f"{', '.join(longer) or 'nothing here'}."
        )
    floors = ", ".join(
        f"{name} {'not measured' if seconds is None else f'{seconds * 1e3:.4f} ms'}"
        for name, seconds in document["floor_s"].items()
    )
    notes.append(f"Floor, by two equal bare ways in the same rounds: {floors}.")
    return notes + [f"Left out: {name} ({why})." for name, why in document["left_out"].items()]
