"""What `crossover hardware` prints: the catalogue as table, Markdown or JSON, one entry in full, a check of files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from shared.hardware.catalogue import FIGURES, Figure, Hardware, assumptions, catalogue, find
from shared.hardware.pace import NEEDED

MARKS: Final = {"vendor-claimed": "v", "independent": "i", "list price": "l", "assumed": "a", "unknown": ""}
LEGEND: Final = "v vendor-claimed, i independent, l list price, a assumed; - nobody has published it."
TITLES: Final = {
    "first_token_s": "first token s",
    "prompt_token_s": "prompt s/token",
    "tok_s": "tok/s",
    "capacity": "at once",
    "throughput_tok_s": "all tok/s",
    "in_flight": "in flight",
    "context_tokens": "context",
    "input_usd_per_mtok": "$/Mtok in",
    "output_usd_per_mtok": "out",
    "rent_usd_per_hour": "$/hour",
    "watts": "W",
}


def table(files: Sequence[Path]) -> str:
    """The catalogue for a terminal, one line an entry, each number marked with its standing."""
    rows = [("id", "model", *TITLES.values())]
    rows += [(id_, each.model, *_cells(each)) for id_, each in catalogue(*files).items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(names + numbers))
    return "\n".join([*lines, "", LEGEND])


def markdown(files: Sequence[Path]) -> str:
    """The catalogue, its sources and the shipped assumptions as the tables of docs/hardware.md."""
    known = catalogue(*files)
    entries = [(f"`{id_}`", each.name, each.model, each.weights, *_cells(each)) for id_, each in known.items()]
    sources = [
        (f"`{each.id}`", f"`{name}`", _number(figure.value), figure.standing, figure.source, figure.date)
        for each in known.values()
        for name, figure in each.figures.items()
        if figure.source
    ]
    assumed = [
        (f"`{id_}`", f"`{name}`", *map(_number, (each.value, each.low, each.high)), each.source)
        for id_, figures in assumptions().items()
        for name, each in figures.items()
    ]
    parts = [
        _markdown_table(("id", "name", "model", "weights", *TITLES.values()), entries),
        LEGEND,
        "### Sources",
        _markdown_table(("id", "figure", "value", "standing", "source", "date"), sources),
        "### Shipped assumptions",
        _markdown_table(("id", "figure", "value", "low", "high", "why"), assumed),
    ]
    return "\n\n".join(parts)


def as_json(files: Sequence[Path]) -> str:
    """Every entry as JSON, by id."""
    return json.dumps({id_: _document(each) for id_, each in catalogue(*files).items()}, indent=2)


def one(id_: str, files: Sequence[Path]) -> str:
    """One entry for a terminal: every figure with unit, standing, source and date, and what is assumed for it."""
    each = find(id_, *files)
    answer = "an error" if each.beyond_context == "refuse" else "an empty answer and no error"
    lines = [
        f"{each.id}: {each.name}",
        f"  serves {each.model} alone, weights {each.weights}; a prompt beyond its context gets {answer}",
    ]
    for name, figure in each.figures.items():
        lines += _figure_lines(name, figure, assumptions().get(each.id, {}).get(name))
    if missing := _needed(each):
        lines.append(f"To emulate it, assume {', '.join(missing)}.")
    return "\n".join(lines)


def one_as_json(id_: str, files: Sequence[Path]) -> str:
    """One entry as JSON."""
    return json.dumps(_document(find(id_, *files)), indent=2)


def check(files: Sequence[Path]) -> str:
    """What the entries of `files` leave unknown. Raises `BadInput` where something is wrong with one of them."""
    shipped = catalogue()
    lines = []
    for each in catalogue(*files).values():
        if each.id in shipped:
            continue
        unknown = [name for name, figure in each.figures.items() if figure.value is None]
        lines.append(f"{each.id}: can be read; unknown: {', '.join(unknown) or 'nothing'}")
        if missing := _needed(each):
            lines.append(f"  to emulate it, assume {', '.join(missing)} under [assume.{each.id}] in the scenario")
    return "\n".join(lines)


def _needed(each: Hardware) -> list[str]:
    assumed = assumptions().get(each.id, {})
    return [name for name in NEEDED if each.value(name) is None and name not in assumed]


def _cells(each: Hardware) -> Iterator[str]:
    for figure in each.figures.values():
        yield f"{_number(figure.value)} {MARKS[figure.standing]}".rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}" if value >= 1 else f"{value:.4g}"


def _figure_lines(name: str, figure: Figure, assumed: Figure | None) -> Iterator[str]:
    if figure.value is None:
        why = f" ({', '.join(filter(None, (figure.source, figure.date)))})" if figure.source else ""
        yield f"  {name:<20} unknown{why}"
    else:
        said = ", ".join(filter(None, (figure.source, figure.date)))
        yield f"  {name:<20} {_number(figure.value)} {FIGURES[name].unit}{_prompt(figure)}, {figure.standing}: {said}"
    if assumed:
        bounds = f" ({_number(assumed.low)} to {_number(assumed.high)})"
        yield f"  {'':<20} assumed {_number(assumed.value)}{bounds}{_prompt(assumed)}: {assumed.source}"


def _prompt(figure: Figure) -> str:
    return "" if figure.prompt_tokens is None else f" with a prompt of {figure.prompt_tokens} tokens"


def _document(each: Hardware) -> Mapping[str, Any]:
    return {
        **{key: getattr(each, key) for key in ("name", "model", "weights", "beyond_context")},
        "figures": _documents(each.figures),
        "assumed": _documents(assumptions().get(each.id, {})),
    }


def _documents(figures: Mapping[str, Figure]) -> Mapping[str, Any]:
    return {name: {"unit": FIGURES[name].unit, **asdict(figure)} for name, figure in figures.items()}


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines)
