"""The whole matrix: cells in virtual time, over sockets and of killed processes, and what they say in words."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.faults import ground
from benchmarks.faults.catalogue import BY_NAME, FAULTS, Fault
from benchmarks.faults.cell import ARMS, Cell
from benchmarks.faults.play import STREAMED, TICK_S, cells, places
from benchmarks.faults.words import headline, modes, not_there, outlived, words
from benchmarks.progress import Progress
from shared.errors import BadInput


def standing() -> dict[str, str]:
    """How the figures of each way of playing came to be, and under which deadlines and ticks, in seconds."""
    from benchmarks.faults import killed, wire

    silent = ", ".join(sorted(wire.SILENT))
    return {
        "virtual": "recorded answers on emulated hardware, the code's own time not charged; "
        f"deadline {ground.DEADLINE_S:g} s, tick {TICK_S:g} s",
        "wire": "measured over loopback, answers made up, each asked by both parsers; deadline "
        f"{wire.DEADLINE_S:g} s under {silent}, else {wire.PATIENT_S:g} s, tick {wire.TICK_S:g} s",
        "process": "measured over loopback, real processes, recorded answers; deadline "
        f"{killed.DEADLINE_S:g} s, tick {killed.TICK_S:g} s",
    }


def measure(
    *, seed: int = 7, seeds: int = 1, only: Sequence[str] = (), virtual: bool = False
) -> tuple[dict[str, Any], list[Cell]]:
    """The matrix as plain JSON, seconds throughout, and its cells: of `only` these faults, by default of all.

    `virtual`: only what is played in virtual time, which is the same on every machine. Raises `BadInput` for an unknown
    fault.
    """
    chosen = _chosen(only)
    if virtual and chosen == [BY_NAME["killed"]]:
        raise BadInput("killed is played with real processes; leave out --virtual")
    with _quiet():
        found = played(chosen, range(seed, seed + seeds))
        if not virtual:
            found += real(seed, chosen)
    return document(found, seed=seed, seeds=seeds), found


def played(faults: Sequence[Fault], seeds: Sequence[int]) -> list[Cell]:
    """The cells in virtual time."""
    found = []
    with Progress("faults in virtual time", sum(len(places(fault)) for fault in faults)) as progress:
        for cell in cells(ground.ground(), faults, seeds):
            found.append(cell)
            progress.step()
    return found


def real(seed: int, faults: Sequence[Fault]) -> list[Cell]:
    """The cells in real time: over sockets, and of processes that are killed."""
    from benchmarks.faults import killed, wire

    names = {fault.name for fault in faults if fault.wire}
    found = asyncio.run(wire.cells(seed, names)) if names else []
    return [*found, *(killed.cells(seed=seed) if BY_NAME["killed"] in faults else ())]


def document(found: Sequence[Cell], *, seed: int, seeds: int) -> dict[str, Any]:
    """What `crossover faults --json` prints."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": seed,
        "seeds": seeds,
        "traffic": {
            "before": ground.WARM,
            "during": ground.BROKEN,
            "after": ground.AFTER,
            "rate": ground.RATE,
            "one_streamed_in": STREAMED,
            "in_flight_assumed": ground.IN_FLIGHT,
            "at_once_assumed": {arm: ground.ground().at_once(arm)[0] for arm in ARMS},
        },
        "standing": standing(),
        "cells": [cell.as_json() for cell in found],
        "not_there": not_there(found),
        "modes": modes(found),
        "outlives": outlived(found),
        "words": words(found),
        "headline": headline(found),
    }


def _chosen(only: Sequence[str]) -> list[Fault]:
    if unknown := sorted(set(only) - set(BY_NAME)):
        raise BadInput(f"fault {unknown[0]!r} is unknown; known are {', '.join(BY_NAME)}")
    return [fault for fault in FAULTS if not only or fault.name in only]


@contextmanager
def _quiet() -> Iterator[None]:
    """The pipelines warn of what is broken on purpose here."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
