"""What the matrix says, in sentences computed from its cells. Nothing here knows what the figures will be.

First what must never be, then what cannot be noticed, then how each pipeline behaves and which outlives what. `MARGIN`
is the difference in the share of answered requests from which on one pipeline is said to outlive a fault that the other
does not: over all that is assumed of its hardware, and only where nobody was misled. A failure mode is a distinct pair
of outcome and way, other than a good answer in the usual way or a hit instead of a call.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.cell import ARMS, SAME, Arm, Cell
from benchmarks.faults.ground import IN_FLIGHT

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
        if arm := _ahead(cells, legacy, direct):
            found[arm].append(legacy.fault)
    return found


def _ahead(cells: Sequence[Cell], legacy: Cell, direct: Cell) -> Arm | None:
    """Who outlives this fault, if anybody: by more than `MARGIN` whatever each one's hardware is assumed to do."""
    if legacy.undetected or direct.undetected:
        return None
    first, second = ([share(cell) for cell in (each, *_assuming(cells, each))] for each in (legacy, direct))
    if min(first) - max(second) > MARGIN:
        return "legacy"
    return "direct" if min(second) - max(first) > MARGIN else None


def _assuming(cells: Sequence[Cell], like: Cell) -> list[Cell]:
    """The same cell with other assumptions of how many requests its main model serves at once."""
    return [cell for cell in cells if cell.at_once and (cell.arm, cell.fault) == (like.arm, like.fault)]


def share(cell: Cell) -> float:
    """Share answered well or degraded, of the requests whose client stayed; 1 where none did."""
    stayed = cell.requests - cell.left
    return (cell.well + cell.degraded) / stayed if stayed else 1.0


def _pairs(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    cells = [cell for cell in cells if cell.at_once is None]
    direct = {(cell.fault, cell.played): cell for cell in cells if cell.arm == "direct"}
    return [
        (cell, direct[cell.fault, cell.played])
        for cell in cells
        if cell.arm == "legacy" and cell.place in ("large", "process") and (cell.fault, cell.played) in direct
    ]


def _never(cells: Sequence[Cell]) -> list[str]:
    told = [cell for cell in cells if cell.at_once is None]
    requests, after = sum(cell.requests for cell in told), sum(cell.after for cell in told)
    broken = [cell for cell in cells if cell.broken]
    if not broken:
        return [
            f"Of {requests:,} requests sent during faults and {after:,} after them none was lost, none ended later "
            "than its deadline and one scheduling tick, and none was given a wrong answer as a good one under a fault "
            "that can be noticed; no model call ran on for nobody."
        ]
    return [
        f"BROKEN: {cell.arm} with {cell.fault} in {cell.place} ({cell.played}): {cell.wrong} wrong and {cell.lost} "
        f"lost of {cell.requests}, {cell.broken_after} wrong or lost of {cell.after} after it, {cell.late} late, "
        f"{_number(cell.abandoned or 0, 'model call')} left running."
        for cell in broken
    ]


def _undetected(cells: Sequence[Cell]) -> list[str]:
    """Whom a fault misled that nothing shows, how often, and who keeps what it was told."""
    sentences = []
    for (fault, played), group in itertools.groupby(cells, lambda cell: (cell.fault, cell.played)):
        misled = [cell for cell in group if cell.undetected]
        if not misled:
            continue
        told = [f"{cell.undetected} of {cell.requests} requests by {cell.arm} ({cell.place})" for cell in misled]
        kept = [(cell, sum(n for way, n in cell.lingering.items() if way.startswith("undetected"))) for cell in misled]
        later = [f"{count} of the next {cell.after} by {cell.arm} ({cell.place})" for cell, count in kept if count]
        sentences.append(
            f"{fault} ({played}; {BY_NAME[fault].what}) cannot be noticed: another text was given to {_listed(told)}"
            + (f". It stays among the answers that are kept: given to {_listed(later)}." if later else ".")
        )
    return sentences


def _modes(cells: Sequence[Cell]) -> list[str]:
    found = modes(cells)
    counted = {arm: {(cell.fault, cell.place) for cell in cells if cell.arm == arm} for arm in ARMS}
    if not all(counted.values()):
        return []
    grave = {arm: sum(not mode.endswith(SAME) for mode in found[arm]) for arm in ARMS}
    each = "; ".join(
        f"{arm} has {_number(grave[arm], 'failure mode')} that {'gives' if grave[arm] == 1 else 'give'} "
        f"a user an error or another text ({len(found[arm])} with those that give the same text by another way), "
        f"over {_number(len(counted[arm]), 'pair')} of fault and place"
        for arm in ARMS
    )
    places = {arm: {place for _, place in counted[arm]} for arm in ARMS}
    absent = sorted(places["legacy"] - places["direct"] - {"large"})
    verb = "is" if len(absent) == 1 else "are"
    there = f" {_listed(absent).capitalize()} {verb} not there in direct and cannot fail." if absent else ""
    return [f"{each}.{there}"]


def _outlives(cells: Sequence[Cell]) -> list[str]:
    pairs = [pair for pair in _pairs(cells) if pair[0].place == "large" and pair[0].played == "virtual"]
    sentences = []
    for arm, other in zip(ARMS, reversed(ARMS), strict=True):
        ahead = [pair for pair in pairs if _ahead(cells, *pair) == arm]
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
        ("no answer is lost and none is another", lambda cell: cell.well == cell.requests),
        ("no answer is lost", lambda cell: cell.well + cell.degraded == cell.requests),
        ("answers are lost", lambda cell: cell.failed != {}),
    )
    sentences = []
    for place, part in (("small", "small model"), ("cache", "cache"), ("classifier", "classifier")):
        left = [cell for cell in cells if cell.place == place and cell.played == "virtual" and not cell.undetected]
        usual_s = min(map(_slowest_s, left), default=0.0)
        for what, belongs in kinds:
            alike = [cell for cell in left if belongs(cell)]
            left = [cell for cell in left if cell not in alike]
            if alike:
                names = ", ".join(cell.fault for cell in alike)
                sentences.append(
                    f"legacy: under {_number(len(alike), 'fault')} of its {part} {what}: {names}; {_range(alike)} of "
                    f"requests are answered, {_range(alike, _well)} with the usual text by the usual way"
                    f"{_slowest(alike, usual_s)}."
                )
    return sentences


def _slowest(cells: Sequence[Cell], usual_s: float) -> str:
    """The slowest of these, where it took much longer than usual."""
    slowest = max(cells, key=_slowest_s)
    if _slowest_s(slowest) - usual_s <= SOONER_S:
        return ""
    return f"; the slowest request takes {_slowest_s(slowest):.1f} s ({slowest.fault})"


def _slowest_s(cell: Cell) -> float:
    return cell.slowest_s or 0.0


def _process(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{legacy.fault} ({BY_NAME[legacy.fault].what}): {_told(legacy)}; {_told(direct)}."
        + _assumed(_assuming(cells, legacy), _assuming(cells, direct))
        for legacy, direct in _pairs(cells)
        if legacy.place == "process"
    ]


def _assumed(legacy: Sequence[Cell], direct: Sequence[Cell]) -> str:
    """What the figures rest on, and what they are over all that is assumed."""
    if not legacy and not direct:
        return ""
    told = "; ".join(f"{cells[0].arm} answers {_by_at_once(cells)}" for cells in (legacy, direct) if cells)
    return (
        f" How many requests a model serves at once is assumed: {told}. That each accepts {IN_FLIGHT}, running and "
        "waiting, is assumed too."
    )


def _by_at_once(cells: Sequence[Cell]) -> str:
    """The share answered, by how many are served at once."""
    told = []
    for answered, group in itertools.groupby(cells, lambda cell: f"{share(cell):.0%}"):
        first, *others = (cell.at_once for cell in group)
        told.append(f"{answered} with {first}" + (f" to {others[-1]}" if others else ""))
    return _listed(told)


def _told(cell: Cell) -> str:
    answered = cell.well + cell.degraded
    if cell.played == "process":  # what was under way is all that was counted
        ended = [f"{count} ended with {error}" for error, count in cell.failed.items()]
        again = [f"after a restart {cell.after - sum(cell.lingering.values())} of {cell.after} were as before"]
        told = [f"{cell.arm} answered {answered} of {_number(cell.requests, 'request')} under way", *ended]
        return ", ".join([*told, *again] if cell.after else told)
    stay = " of those who stay" if cell.left else ""
    calls = "" if cell.calls is None else f" with {_number(cell.calls, 'model call')}"
    if cell.left and cell.abandoned is not None:
        calls += f" ({cell.abandoned} ran on when nobody waited any more)"
    return f"{cell.arm} answers {share(cell):.0%}{stay}{calls}, the slowest in {_slowest_s(cell):.2f} s"


def _lingering(cells: Sequence[Cell]) -> list[str]:
    """Errors and wrong texts after the end of a fault. An answer that has to be made anew is neither."""
    sentences = []
    for cell in cells:
        bad = {way: n for way, n in cell.lingering.items() if not way.startswith(("degraded", "undetected"))}
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
