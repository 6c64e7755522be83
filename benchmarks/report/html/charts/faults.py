"""Every fault against every part of both pipelines: what became of the requests, as one stacked bar a cell.

It draws what was played in virtual time and the killed process; what went over sockets, with far fewer requests, and
load at other capacities than assumed are in its table. `crossover faults` says more; its figures were recorded last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any, Final

from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.faults_text import TITLES
from benchmarks.report.html.svg import element, figure, hatch, legend, text
from benchmarks.table_text import Table

ID: Final = "chart-faults"
WIDE, LEFT, COLUMN, BAR, ROW, THICK = 640, 172, 156, 104, 20, 12
KEYS: Final = (
    (("c-good", "answered as without the fault"), (hatch(ID), "degraded"), ("s-bad hollow", "failed")),
    (("c-bad", "another text, unnoticed"), ("c-ink", "wrong or lost"), ("s-neutral hollow dashed", "client left")),
)
"""How each class of outcome is painted, in the order in which they stand in a bar."""
PAINTS: Final = [paint for line in KEYS for paint, _ in line]
HEAD: Final = (
    "fault", "what it does", "where", "how", "requests", "well", "degraded", "failed", "unnoticed", "wrong", "lost",
    "late", "left",
)  # fmt: skip
Cell = Mapping[str, Any]


def chart(report: Mapping[str, Any]) -> str | None:
    """The matrix; None where none was recorded for these two systems."""
    found = report["faults"]
    if not found or not found["cells"]:
        return None
    drawn = [cell for cell in found["cells"] if cell["played"] != "wire" and cell["at_once"] is None]
    body, y = [legend(0, 16 + 20 * line, entries) for line, entries in enumerate(KEYS)], 66
    body.append(text(WIDE, 36, "%: answered, of all who stayed", class_="t-muted", text_anchor="end"))
    for part, of_part in groupby(drawn, key=_part):
        cells = list(of_part)
        body.append(_heading(part, cells, y))
        y += 18
        for fault, of_fault in groupby(cells, key=lambda cell: cell["fault"]):
            y += ROW
            body.append(_row(fault, list(of_fault), found["not_there"].get(fault, ()), y))
        y += ROW + 18
    note = f"Recorded on {found['date']}. " + " ".join(f"{how}: {what}." for how, what in found["standing"].items())
    table = Table("Requests sent while a fault lasted", note, HEAD, [_figures(cell) for cell in found["cells"]])
    return figure(ID, "What becomes of requests under each fault", _told(drawn), "".join(body), WIDE, y - 10, table)


def words(report: Mapping[str, Any]) -> str:
    """What must never be, how many ways to fail there are, who outlives what, and what nobody notices."""
    found = report["faults"]
    if not found or not found["cells"]:
        return "Not measured: faults were played on this clone's two pipelines only, and another system is compared."
    unnoticed = [cell for cell in found["cells"] if cell["undetected"] and cell["played"] == "virtual"]
    where = ", ".join(
        f"{cell['fault']} in {cell['arm']}'s {cell['place']} ({_share(cell['undetected'], cell)})" for cell in unnoticed
    )
    told = f" Given another text without notice: {where} of requests." if where else ""
    said = [f"{sentence[:1].upper()}{sentence[1:]}" for sentence in found["headline"]]
    return f"Recorded on {found['date']}, not in this run. {' '.join(said)}{told}"


def _told(cells: Sequence[Cell]) -> str:
    """How many cells have which kind of outcome, by pipeline."""
    said = []
    for arm in ("legacy", "direct"):
        mine = [cell for cell in cells if cell["arm"] == arm]
        whole = sum(_counts(cell)[2] == 0 and not cell["undetected"] for cell in mine)
        said.append(f"{arm}: {len(mine)} bars, in {whole} of them every request whose client stayed was answered")
    return f"One bar for each fault and place. {'; '.join(said)}."


def _part(cell: Cell) -> str:
    return BY_NAME[cell["fault"]].part


def _column(cell: Cell) -> int:
    """Legacy's main part, then direct, so that the two stand side by side; then legacy's small model."""
    return 1 if cell["arm"] == "direct" else 2 if cell["place"] == "small" else 0


def _heading(part: str, cells: Iterable[Cell], y: int) -> str:
    heads = {_column(cell): f"{cell['arm']}: {cell['place']}" for cell in cells}
    return text(0, y, TITLES[part], class_="t-bold") + "".join(
        text(LEFT + COLUMN * column, y + 18, head, class_="t-muted") for column, head in heads.items()
    )


def _row(fault: str, cells: Iterable[Cell], absent: Sequence[str], y: int) -> str:
    bars = "".join(_bar(cell, LEFT + COLUMN * _column(cell), y) for cell in cells)
    nothing = text(LEFT + COLUMN, y, "no such part", class_="t-muted") if "direct" in absent else ""
    return text(0, y, fault) + bars + nothing


def _counts(cell: Cell) -> tuple[int, int, int, int, int, int]:
    """Requests by class, as `PAINTS` has them. They add up to all of them."""
    wrong = cell["wrong"] + cell["lost"]
    return cell["well"], cell["degraded"], sum(cell["failed"].values()), cell["undetected"], wrong, cell["left"]


def _bar(cell: Cell, x: float, y: int) -> str:
    """The share of each class, and in figures what was answered of the requests whose client stayed."""
    parts, at, requests = list[str](), float(x), cell["requests"]
    for paint, count in zip(PAINTS, _counts(cell), strict=True):
        wide = BAR * count / requests if requests else 0.0
        if wide:
            fill = {"fill": paint, "class_": "frame"} if paint.startswith("url(") else {"class_": paint}
            parts.append(element("rect", **fill, x=at, y=y - THICK + 1.0, width=wide, height=THICK))
        at += wide
    stayed = requests - cell["left"]
    answered = f"{(cell['well'] + cell['degraded']) / stayed:.0%}" if stayed else "none"
    late = f", {cell['late']} late" if cell["late"] else ""
    tip = ", ".join(f"{name} {value}" for name, value in zip(HEAD, _figures(cell), strict=True) if value != "0")
    return element("g", element("title", escape(tip)), *parts, text(x + BAR + 6, y, answered + late))


def _figures(cell: Cell) -> list[str]:
    failed = ", ".join(f"{count} {error}" for error, count in cell["failed"].items()) or "0"
    at_once = "" if cell["at_once"] is None else f", {cell['at_once']} at once"
    counts = (cell[key] for key in ("undetected", "wrong", "lost", "late", "left"))
    return [
        cell["fault"], BY_NAME[cell["fault"]].what, f"{cell['arm']}: {cell['place']}{at_once}", cell["played"],
        *(f"{cell[key]}" for key in ("requests", "well", "degraded")), failed, *map(str, counts),
    ]  # fmt: skip


def _share(count: int, cell: Cell) -> str:
    return f"{count / cell['requests']:.0%}"
