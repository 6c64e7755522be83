"""What the matrix says, in sentences computed from its cells. Nothing here knows what the figures will be.

First what must never be, then what cannot be noticed, then how each pipeline behaves and which outlives what. `MARGIN`
is the difference in the share of answered requests from which on one pipeline is said to outlive a fault that the other
does not. A failure mode is a distinct pair of outcome and way, other than a good answer in the usual way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.cell import ARMS, Arm, Cell

MARGIN: Final = 0.05
SOONER_S: Final = 1.0
"""Difference in p99 from which on one pipeline is said to end its requests sooner than the other."""


def words(cells: Sequence[Cell]) -> list[str]:
    """One sentence or a few each, the gravest first."""
    sentences = [*_never(cells), *_undetected(cells), *_modes(cells), *_outlives(cells), *_sooner(cells)]
    return [*sentences, *_own_parts(cells), *_process(cells), *_lingering(cells)]


def headline(cells: Sequence[Cell]) -> list[str]:
    """What a team would quote of them: what must never be, how many ways there are to fail, and who outlives what."""
    return [*_never(cells), *_modes(cells), *_outlives(cells)]


def modes(cells: Iterable[Cell]) -> dict[Arm, dict[str, list[str]]]:
    """The failure modes of each pipeline, each with the faults that show it."""
    found: dict[Arm, dict[str, list[str]]] = {arm: {} for arm in ARMS}
    for cell in cells:
        for mode in sorted(cell.modes):
            faults = found[cell.arm].setdefault(mode, [])
            if cell.fault not in faults:
                faults.append(cell.fault)
    return found


def outlived(cells: Sequence[Cell]) -> dict[Arm, list[str]]:
    """The faults under which one pipeline answers more than `MARGIN` more than the other: of its main model or process.

    The main model is legacy's large one and direct's only one. Only virtual time has enough requests to compare shares.
    """
    found: dict[Arm, list[str]] = {arm: [] for arm in ARMS}
    for legacy, direct in _pairs([cell for cell in cells if cell.played == "virtual"]):
        ahead = share(legacy) - share(direct)
        arm: Arm = "legacy" if ahead > 0 else "direct"
        if abs(ahead) > MARGIN and legacy.fault not in found[arm]:
            found[arm].append(legacy.fault)
    return found


def share(cell: Cell) -> float:
    """Share answered well or degraded, of the requests whose client stayed; 1 where none did."""
    stayed = cell.requests - cell.left
    return (cell.well + cell.degraded) / stayed if stayed else 1.0


def _pairs(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    direct = {(cell.fault, cell.played): cell for cell in cells if cell.arm == "direct"}
    return [
        (cell, direct[cell.fault, cell.played])
        for cell in cells
        if cell.arm == "legacy" and cell.place in ("large", "process") and (cell.fault, cell.played) in direct
    ]


def _never(cells: Sequence[Cell]) -> list[str]:
    requests = sum(cell.requests for cell in cells)
    broken = [cell for cell in cells if cell.broken]
    if not broken:
        return [
            f"Of {requests:,} requests sent during faults none was lost, none ended later than its deadline and one "
            "scheduling tick, and none was given a wrong answer as a good one under a fault that can be noticed."
        ]
    return [
        f"BROKEN: {cell.arm} with {cell.fault} in {cell.place} ({cell.played}): {cell.wrong} wrong, {cell.lost} lost, "
        f"{cell.late} late of {cell.requests}."
        for cell in broken
    ]


def _undetected(cells: Sequence[Cell]) -> list[str]:
    """Only where something was seen: the other cells of such a fault say nothing."""
    return [
        f"{cell.arm}: {cell.fault} in {cell.place} ({cell.played}; {BY_NAME[cell.fault].what}) cannot be noticed: "
        f"{cell.undetected} of {cell.requests} requests were given another text."
        for cell in cells
        if cell.undetected
    ]


def _modes(cells: Sequence[Cell]) -> list[str]:
    found = modes(cells)
    counted = {arm: [cell for cell in cells if cell.arm == arm] for arm in ARMS}
    if not all(counted.values()):
        return []
    each = "; ".join(
        f"{arm} has {_number(len(found[arm]), 'failure mode')} over {_number(len(counted[arm]), 'cell')}"
        for arm in ARMS
    )
    absent = sorted({cell.place for cell in counted["legacy"]} - {cell.place for cell in counted["direct"]} - {"large"})
    verb = "is" if len(absent) == 1 else "are"
    there = f" {_listed(absent).capitalize()} {verb} not there in direct and cannot fail." if absent else ""
    return [f"{each}.{there}"]


def _outlives(cells: Sequence[Cell]) -> list[str]:
    pairs = [pair for pair in _pairs(cells) if pair[0].place == "large" and pair[0].played == "virtual"]
    sentences = []
    for arm, other in zip(ARMS, reversed(ARMS), strict=True):
        ahead = [
            (legacy, direct)
            for legacy, direct in pairs
            if (share(legacy) - share(direct)) * (1 if arm == "legacy" else -1) > MARGIN
        ]
        if pairs and not ahead:
            sentences.append(f"{arm} outlives no fault of the main model that {other} does not.")
        if not ahead:
            continue
        mine = [pair[ARMS.index(arm)] for pair in ahead]
        theirs = [pair[ARMS.index(other)] for pair in ahead]
        kept = _from(mine)
        sentences.append(
            f"{arm} outlives what {other} does not: under {_number(len(mine), 'fault')} of the main model "
            f"it goes on answering {_range(mine)} of requests{kept}, where {other} answers {_range(theirs)} "
            f"({', '.join(cell.fault for cell in mine)})."
        )
    return sentences


def _sooner(cells: Sequence[Cell]) -> list[str]:
    """Where one ends its requests much sooner, well or not: a client that waits for an error has waited for nothing."""
    sentences = []
    for legacy, direct in _pairs(cells):
        if legacy.place == "large" and legacy.p99_s is not None and direct.p99_s is not None:
            first, second = sorted((legacy, direct), key=lambda cell: cell.p99_s or 0.0)
            if abs(legacy.p99_s - direct.p99_s) > SOONER_S:
                sentences.append(
                    f"{first.arm} ends sooner under {first.fault} of the main model: p99 {first.p99_s:.1f} s, where "
                    f"{second.arm} takes {second.p99_s:.1f} s."
                )
    return sentences


def _from(cells: Sequence[Cell]) -> str:
    """Where good answers came from that no main model gave, over all of these cells."""
    ways = sum((Counter(cell.ways) for cell in cells), Counter[str]())
    requests = sum(cell.requests for cell in cells)
    sources = (("well: kept", "from answers it had kept"), ("well: small", "by its small model"))
    told = [f"{ways[way] / requests:.0%} {text}" for way, text in sources if ways[way]]
    return f" ({' and '.join(told)})" if told else ""


def _own_parts(cells: Sequence[Cell]) -> list[str]:
    """What legacy's extra parts cost when they fail: by place, the faults alike together."""
    kinds: Sequence[tuple[str, Callable[[Cell], bool]]] = (
        ("cost no answer and change none", lambda cell: cell.well == cell.requests),
        ("cost no answer", lambda cell: cell.well + cell.degraded == cell.requests),
        ("cost answers", lambda cell: cell.failed != {}),
    )
    sentences = []
    for place, part in (("small", "small model"), ("cache", "cache"), ("classifier", "classifier")):
        left = [cell for cell in cells if cell.place == place and cell.played == "virtual" and not cell.undetected]
        for what, belongs in kinds:
            alike = [cell for cell in left if belongs(cell)]
            left = [cell for cell in left if cell not in alike]
            if alike:
                names = ", ".join(cell.fault for cell in alike)
                sentences.append(
                    f"legacy: {_number(len(alike), 'fault')} of its {part} {what}: {names}; {_range(alike)} of "
                    f"requests are answered, {_range(alike, _well)} as if nothing had happened."
                )
    return sentences


def _process(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{legacy.fault} ({BY_NAME[legacy.fault].what}): {_told(legacy)}; {_told(direct)}."
        for legacy, direct in _pairs(cells)
        if legacy.place == "process"
    ]


def _told(cell: Cell) -> str:
    answered = cell.well + cell.degraded
    if cell.played == "process":  # what was under way is all that was counted
        ended = [f"{count} ended with {error}" for error, count in cell.failed.items()]
        again = [f"after a restart {cell.after - sum(cell.lingering.values())} of {cell.after} were as before"]
        told = [f"{cell.arm} answered {answered} of {_number(cell.requests, 'request')} under way", *ended]
        return ", ".join([*told, *again] if cell.after else told)
    stay = " of those who stay" if cell.left else ""
    calls = "" if cell.calls is None else f" with {_number(cell.calls, 'model call')}"
    return f"{cell.arm} answers {share(cell):.0%}{stay}{calls}, the slowest in {cell.slowest_s or 0.0:.2f} s"


def _lingering(cells: Sequence[Cell]) -> list[str]:
    """Errors and other texts after the end of a fault. An answer that has to be made anew is neither."""
    sentences = []
    for cell in cells:
        bad = {way: n for way, n in cell.lingering.items() if not way.startswith("degraded")}
        if bad:
            told = ", ".join(f"{way} ({n})" for way, n in bad.items())
            sentences.append(
                f"{cell.arm}: {cell.fault} in {cell.place} goes on when it is over: of the next {cell.after} requests "
                f"{_number(sum(bad.values()), 'request')} ended with {told}."
            )
    return sentences


def _well(cell: Cell) -> float:
    return cell.well / cell.requests


def _range(cells: Sequence[Cell], of: Callable[[Cell], float] = share) -> str:
    low, high = min(map(of, cells)), max(map(of, cells))
    return f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def not_there(cells: Iterable[Cell]) -> Mapping[str, list[Arm]]:
    """By fault, the pipelines that have no such part."""
    seen: dict[str, set[Arm]] = {}
    for cell in cells:
        seen.setdefault(cell.fault, set()).add(cell.arm)
    return {fault: [arm for arm in ARMS if arm not in arms] for fault, arms in seen.items() if len(arms) < len(ARMS)}
