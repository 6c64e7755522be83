"""The surface of two trees as tables: every figure, the difference, the names behind it, and what it costs in practice.

No figure is weighed against another: there is no score. The figures are `surface.py`'s.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import table_text
from benchmarks.maintenance.complexity import BIN_NAMES
from benchmarks.table_text import Table

Tree = Mapping[str, Any] | None
"""What `surface` counted, or None where the source is not there."""
UNKNOWN: Final = "not known"
NAMES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: how it is called, where it is, and what it costs."""

    name: str
    value: Callable[[Any], Any]
    cost: str = ""
    ours: bool = False
    """Only of this clone's pipelines: left out where neither is one."""


def _of(part: Any, get: Callable[[Any], Any]) -> Any:
    """What `get` gives of a part, or None where there is no such part."""
    return None if part is None else get(part)


def _lines(part: Mapping[str, Any] | None) -> Any:
    return _of(part, lambda part: part["lines"])


def _training(tree: Mapping[str, Any]) -> Any:
    return _of(tree["third_party"]["training"], lambda more: more["count"])


ROWS: Final = (
    Row("files", lambda tree: tree["files"]),
    Row(
        "source lines",
        lambda tree: tree["lines"],
        "what must be read before a change and kept working after it; it tracked effort where four systems that do the "
        "same got the same changes (Sjoberg, Anda and Mockus 2012)",
    ),
    Row("functions", lambda tree: tree["functions"]),
    Row(
        "cyclomatic complexity, largest",
        lambda tree: tree["cyclomatic"]["largest"],
        "the function that is dearest to test: its basis paths take so many tests (McCabe 1976); of the rest it says "
        "little beyond size",
    ),
    Row("  median, 90th percentile", lambda tree: _quantiles(tree["cyclomatic"])),
    Row(f"  functions at {', '.join(BIN_NAMES)}", lambda tree: _bins(tree["cyclomatic"])),
    Row(
        "cognitive complexity, largest",
        lambda tree: tree["cognitive"]["largest"],
        "the function that takes longest to understand (Munoz Baron, Wyrich and Wagner 2020)",
    ),
    Row("  median, 90th percentile", lambda tree: _quantiles(tree["cognitive"])),
    Row(f"  functions at {', '.join(BIN_NAMES)}", lambda tree: _bins(tree["cognitive"])),
    Row(
        "settings",
        lambda tree: len(tree["settings"]),
        "each is a value that somebody must choose, write down and get right: 70 to 86 % of the misconfigurations of "
        "five systems were mistakes in settings (Yin and others 2011)",
    ),
    Row(
        "environment variables",
        lambda tree: len(tree["environment"]),
        "each must be right on every machine, and nothing checks it before the program runs",
    ),
    Row(
        "stateful stores",
        lambda tree: len(tree["stores"]),
        "each needs room, permissions, purging, a way to forget a person, and a plan for when it is locked or broken; "
        "two calls may open the same one, so see their names",
    ),
    Row(
        "trained artefacts",
        lambda tree: _of(tree["artefacts"], len),
        "each must be made again when a model or its data changes. Ours notices another model (its classifier refuses "
        "to load), not other data (Sculley and others 2015: data dependencies cost more than code dependencies)",
    ),
    Row(
        "background tasks",
        lambda tree: len(tree["background_tasks"]),
        "work that can fail after the answer is out, so that no request shows it; it must be drained before a stop",
    ),
    Row(
        "external calls",
        lambda tree: len(tree["external_calls"]),
        "each is a party that can be slow, down, changed or dear",
    ),
    Row("exception types raised", lambda tree: sum(not name.startswith("(") for name in tree["raised"])),
    Row(
        "exception types handled",
        lambda tree: len(tree["handled"]["types"]),
        "each handler is a path that runs only when something breaks: 92 % of the catastrophic failures of five "
        "distributed systems came from one that was wrong (Yuan and others 2014)",
    ),
    Row(
        "  handlers: all, broad, bare, empty",
        lambda tree: ", ".join(str(tree["handled"][name]) for name in ("handlers", "broad", "bare", "empty")),
    ),
    Row(
        "failure modes",
        lambda tree: _of(tree["failure_modes"], lambda modes: sum(modes.values())),
        "what whoever is on call must be able to tell apart",
    ),
    Row("modules of this clone needed", lambda tree: _imports(tree, "own", "shared"), ours=True),
    Row(
        "  source lines of these",
        lambda tree: _imports(tree, "lines"),
        "what can break it from within: a change to any of them is a change to it",
        ours=True,
    ),
    Row("distributions more to train with", _training, ours=True),
    Row("tests, files", lambda tree: tree["tests"]["files"]),
    Row(
        "tests, lines",
        lambda tree: tree["tests"]["lines"],
        "what makes a change safe, and what a change to behaviour must change as well",
    ),
    Row("  lines of tests that both share", lambda tree: _lines(tree["tests"]["shared"]), ours=True),
    Row(
        "switched off: source lines",
        lambda tree: _lines(tree["optional"]),
        "nothing while it is off, except that it must still build; as above once it is on",
        ours=True,
    ),
    Row("switched off: settings", lambda tree: _of(tree["optional"], lambda off: len(off["settings"])), ours=True),
    Row("switched off: artefacts", lambda tree: _of(tree["optional"], lambda off: len(off["artefacts"])), ours=True),
    Row(
        "switched off: lines of tests", lambda tree: _of(tree["optional"], lambda off: off["tests"]["lines"]), ours=True
    ),
    Row("files that could not be read", lambda tree: len(tree["unreadable"]), "not counted anywhere above"),
)
NAMED: Final = (
    ("most branches", lambda tree: [tree["cyclomatic"]["largest_in"]]),
    ("hardest to read", lambda tree: [tree["cognitive"]["largest_in"]]),
    ("settings", lambda tree: tree["settings"]),
    ("environment variables", lambda tree: tree["environment"]),
    ("stateful stores", lambda tree: tree["stores"]),
    ("trained artefacts", lambda tree: tree["artefacts"]),
    ("background tasks", lambda tree: tree["background_tasks"]),
    ("external calls", lambda tree: tree["external_calls"]),
    (
        "failure modes by outcome",
        lambda tree: _of(tree["failure_modes"], lambda modes: [f"{way} {count}" for way, count in modes.items()]),
    ),
    ("raised", lambda tree: tree["raised"]),
    ("handled", lambda tree: tree["handled"]["types"]),
    ("not read", lambda tree: tree["unreadable"]),
    ("distributions not installed here", lambda tree: _distributions(tree, "unknown")),
)
WIDTH: Final = 120
COSTS: Final = "What each costs in practice"
DISTRIBUTIONS_COST: Final = (
    "each is an upgrade, a licence and somebody to trust; where both sides need the same library, most of it is shared"
)
RELEASE_COST: Final = "nobody may mend what is found in it; or it may be done, which a date does not tell"
ADVISORIES_COST: Final = "each must be read and answered; a package that was not audited is not known to be clean"


def tables(names: Sequence[str], trees: Sequence[Tree]) -> list[Table]:
    """The figures of two trees and their difference, and the names behind the figures."""
    rows = [
        (row.name, *map(_shown, values), _difference(*values))
        for row in ROWS
        for values in [[_of(tree, row.value) for tree in trees]]
        if not (row.ours and values == [None, None])
    ]
    note = "Counts of what there is, not of effort. Counts of names miss some, and count some that are none. No score."
    behind = [(name, *(_names(_of(tree, get)) for tree in trees)) for name, get in NAMED]
    return [
        Table("Maintenance surface", note, ("", *names, "difference"), [*rows, *_closure_rows(trees)]),
        Table(
            "What is behind the counts",
            f"The first {NAMES_SHOWN} names of each.",
            ("", *names),
            [*behind, _only(trees)],
        ),
    ]


def markdown(names: Sequence[str], trees: Sequence[Tree]) -> str:
    """Both tables, and what each figure costs as a list."""
    told = "\n".join(f"- {line}" for line in costs())
    return f"{table_text.markdown(tables(names, trees))}\n\n### {COSTS}\n\n{told}"


def text(names: Sequence[str], trees: Sequence[Tree]) -> str:
    """The same for a terminal, where names are wrapped."""
    figures, behind = tables(names, trees)
    lines = [table_text.columns([figures]), "", behind.title, behind.note, ""]
    for name, *lists in behind.rows:
        lines += [name, *(_wrapped(f"{whose}: {found}") for whose, found in zip(names, lists, strict=True))]
    return "\n".join([*lines, "", COSTS, "", *map(_wrapped, costs())])


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _only(trees: Sequence[Tree]) -> tuple[str, ...]:
    needed = [_of(tree, lambda tree: _distributions(tree, "names")) for tree in trees]
    only = [None if own is None else own - (other or set()) for own, other in zip(needed, needed[::-1], strict=True)]
    return "distributions that only it needs", *map(_names, only)


def _distributions(tree: Mapping[str, Any], key: str) -> set[str]:
    return {name for way in tree["third_party"]["ways"].values() for name in way[key]}


def costs() -> list[str]:
    """A line for each figure that costs something."""
    lines = [f"{row.name.strip()}: {row.cost}." for row in ROWS if row.cost]
    return [
        *lines,
        f"distributions: {DISTRIBUTIONS_COST}.",
        f"oldest last release: {RELEASE_COST}.",
        f"advisories: {ADVISORIES_COST}.",
    ]


def _closure_rows(trees: Sequence[Tree]) -> Iterator[tuple[str, ...]]:
    """Distributions, their size and what is known against them, for each way that either tree has."""
    found = [{} if tree is None else tree["third_party"]["ways"] for tree in trees]
    ways = list(dict.fromkeys(way for each in found for way in each))
    if all(len(each) == 1 for each in found) and len(ways) > 1:  # what one declares beside what the other imports
        yield from _way_rows(" / ".join(ways), trees, [next(iter(each)) for each in found])
        return
    for way in ways:
        yield from _way_rows(way, trees, [way, way])


def _way_rows(label: str, trees: Sequence[Tree], ways: Sequence[str]) -> Iterator[tuple[str, ...]]:
    pairs = list(zip(trees, ways, strict=True))
    found = [None if tree is None else tree["third_party"]["ways"].get(way) for tree, way in pairs]
    known = [None if tree is None else tree["advisories"].get(way) for tree, way in pairs]
    counts = [_of(each, lambda closure: closure["count"]) for each in found]
    sizes = [_of(each, lambda closure: closure["bytes"]) for each in found]
    yield f"distributions, {label}", *map(_shown, counts), _difference(*counts)
    yield "  their size", *map(_megabytes, sizes), _megabytes_more(*sizes)
    yield "  oldest last release", *(_of(each, _oldest) or UNKNOWN for each in found), ""
    yield "  advisories: open, past, not audited", *map(_known, known), ""


def _quantiles(spread: Mapping[str, Any]) -> str | None:
    return None if spread["median"] is None else f"{spread['median']}, {spread['p90']}"


def _bins(spread: Mapping[str, Any]) -> str | None:
    return None if spread["histogram"] is None else ", ".join(map(str, spread["histogram"].values()))


def _imports(tree: Mapping[str, Any], *keys: str) -> Any:
    return _of(tree["imports"], lambda found: sum(found[key] for key in keys))


def _shown(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int) else value


def _difference(left: Any, right: Any) -> str:
    return f"{right - left:+,}" if isinstance(left, int) and isinstance(right, int) else ""


def _megabytes(size: int | None) -> str:
    return UNKNOWN if size is None else f"{size / 1e6:.1f} MB"


def _megabytes_more(left: int | None, right: int | None) -> str:
    return "" if left is None or right is None else f"{(right - left) / 1e6:+.1f} MB"


def _oldest(closure: Mapping[str, Any]) -> str | None:
    oldest = closure["oldest"]
    return f"{oldest['released']}, {oldest['name']}" if oldest else None if closure["names"] else "none"


def _known(advisories: Mapping[str, Any] | None) -> str:
    if advisories is None:
        return UNKNOWN
    return f"{len(advisories['open'])}, {len(advisories['past'])}, {advisories['not_audited']}"


def _names(found: Any) -> str:
    """The first names of a set, a list or a mapping; with what a mapping says of each, unless that is a count."""
    if found is None or None in found:
        return UNKNOWN
    told = found if isinstance(found, Mapping) else {}
    said = {name: [more] if isinstance(more, str) else more for name, more in told.items() if not isinstance(more, int)}
    names = [f"{name} ({'; '.join(said[name])})" if name in said else name for name in sorted(found)]
    more = [f"and {len(names) - NAMES_SHOWN:,} more"] if len(names) > NAMES_SHOWN else []
    return ", ".join([*names[:NAMES_SHOWN], *more]) or "none"
