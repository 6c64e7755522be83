"""How intricate the functions of a tree are, by two definitions, as a distribution: a sum would only be size again.

Cyclomatic complexity (McCabe 1976): about one and the number of branches, as lizard counts it, and about how many tests
McCabe's basis path testing takes. Evidence: weak beyond size, with which it grows (Sjoberg, Anda and Mockus 2012 found
that it did not track effort); it points at the functions that are dear to test.

Cognitive complexity (Campbell 2018, counted by complexipy): breaks in the flow of reading, each dearer the deeper it is
nested. Evidence: over 427 snippets it goes along with the time to understand one and with how hard readers call it,
with mixed results on whether they understood it (Munoz Baron, Wyrich and Wagner 2020).

Weakness of both: neither sees what a name hides, nor what two functions must agree on.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from benchmarks.maintenance.trees import Source, Unreadable

BINS: Final[tuple[tuple[int, int | None], ...]] = ((0, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""From and to, both included. 10 is McCabe's own limit for cyclomatic complexity."""
BIN_NAMES: Final = tuple(f"{low}+" if high is None else f"{low}-{high}" for low, high in BINS)


class Scored(NamedTuple):
    """One function's complexity, and where it is: `file.py: Class.method`."""

    value: int
    where: str


def cyclomatic(source: Source) -> list[Scored]:
    """Of every function, nested ones and methods apart. Raises `Unreadable`."""
    names, found = _names(source), _lizard(source.text)
    scores = list[Scored]()
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            value = found.get(node.lineno)
            if value is None:  # lizard does not see a body in the line of its `def`; written out it does
                value = max(_lizard(_written_out(node)).values(), default=None)
            if value is None:
                raise Unreadable(f"lizard does not see the function in line {node.lineno}")
            scores.append(Scored(value, _where(source, names[node.lineno])))
    return scores


def _written_out(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:
        raise Unreadable("it is nested too deeply to be written out for lizard") from None


def _lizard(text: str) -> dict[int, int]:
    """The complexity of each function by its first line."""
    import lizard  # type: ignore[import-untyped]

    found = lizard.analyze_file.analyze_source_code("code.py", text).function_list
    return {each.start_line: each.cyclomatic_complexity for each in found}


def cognitive(source: Source) -> list[Scored]:
    """Of every function; one nested in another counts in that one. Raises `Unreadable`.

    Comments that tell the tool to look away are not obeyed.
    """
    import complexipy

    names = _names(source)
    try:
        found = complexipy.code_complexity(source.text, no_ignore=True, with_plans=False).functions
    except ValueError as error:
        raise Unreadable(f"complexipy: {error}") from None
    return [Scored(each.complexity, _where(source, names.get(each.line_start, each.name))) for each in found]


def distribution(scores: Sequence[Scored]) -> dict[str, Any]:
    """The largest and where it is, nearest-rank median and 90th percentile, and how many functions lie in each bin.

    All None where there is no function: nothing is not simple.
    """
    if not scores:
        return {"largest": None, "largest_in": None, "median": None, "p90": None, "histogram": None}
    values = sorted(score.value for score in scores)
    worst = min(scores, key=lambda score: (-score.value, score.where))
    return {
        "largest": worst.value,
        "largest_in": worst.where,
        "median": _at(values, 0.5),
        "p90": _at(values, 0.9),
        "histogram": {name: _between(values, *ends) for name, ends in zip(BIN_NAMES, BINS, strict=True)},
    }


def _at(values: Sequence[int], share: float) -> int:
    """The least value that at least this share of the values does not exceed."""
    return values[math.ceil(share * len(values)) - 1]


def _between(values: Sequence[int], low: int, high: int | None) -> int:
    return sum(low <= value and (high is None or value <= high) for value in values)


def _where(source: Source, name: str) -> str:
    return f"{source.name}: {name}"


def _names(source: Source) -> dict[int, str]:
    """The full name of each function by the lines that the tools call its first: of `def`, or of a decorator."""
    names, left = dict[int, str](), [(source.tree, "")]
    while left:
        node, outer = left.pop()
        for child in ast.iter_child_nodes(node):
            inner = outer
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{outer}{child.name}."
                if not isinstance(child, ast.ClassDef):
                    lines = (child.lineno, *(each.lineno for each in child.decorator_list))
                    names.update(dict.fromkeys(lines, inner[:-1]))
            left.append((child, inner))
    return names
