"""The two pipelines' code as it is in this clone, side by side: files of one name in a pair, one-sided files alone.

It is read where the page is made, so a page made of an old run shows the code of today. Nothing is left out but trained
artefacts, of which the names are given. Next: `diffs.py` (how a file becomes markup).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from benchmarks.maintenance.surface import OPTIONAL, ROOT
from benchmarks.maintenance.trees import code_lines, read
from benchmarks.report.html import diffs
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element
from benchmarks.scenario import ARMS, Arm

FIRST: Final = ("pipeline.py", "app.py", "settings.py")
"""What a reader opens first; the other files follow by name, and what is no code at the end."""
SHOWN: Final = {".py", ".md", ".txt"}
"""Of this section, which is the first of the three, of the drills and of the requests."""
ABSENT: Final = "This run compares another system, whose code is not in this clone: {}."


@dataclass(frozen=True, slots=True)
class Side:
    """One file of a pipeline. `code` counts lines that are neither comment nor docstring; None of what is no Python."""

    text: str
    lines: int
    code: int | None


def section(run: Run) -> str:
    """A pair or a file an element that opens; the pipelines themselves are open."""
    heading = element("h2", "The two pipelines' code")
    kinds = {arm: run.report["provenance"]["scenario"][arm]["kind"] for arm in ARMS}
    if others := [f"{arm} is of kind {kind}" for arm, kind in kinds.items() if kind != "builtin"]:
        return element("section", heading, element("p", escape(ABSENT.format(", ".join(others)))), id="code")
    files = {arm: _files(arm) for arm in ARMS}
    names = sorted(files["legacy"] | files["direct"], key=_order)
    aside = {name for name in names if _is_optional(name, files)} if _off(run) else set[str]()
    parts = [_pair(name, files) for name in names if name not in aside]
    if aside:
        size = _size([files["legacy"][name] for name in names if name in aside])
        told = f"What the semantic cache adds to legacy, which is switched off in this run: {size}"
        optional = (_pair(name, files) for name in names if name in aside)
        parts.append(element("details", element("summary", escape(told)), *optional, class_="optional"))
    return element("section", heading, element("p", escape(_words(files, aside))), *parts, id="code")


def _files(arm: Arm) -> dict[str, Side]:
    folder = ROOT / f"{arm}_pipeline"
    return {file.name: _side(file) for file in sorted(folder.iterdir()) if file.suffix in SHOWN}


def _side(file: Path) -> Side:
    text = file.read_text(encoding="utf-8")
    code = code_lines(read(file, file.name)) if file.suffix == ".py" else None
    return Side(text, len(text.splitlines()), code)


def _order(name: str) -> tuple[bool, int, str]:
    return not name.endswith(".py"), FIRST.index(name) if name in FIRST else len(FIRST), name


def _off(run: Run) -> bool:
    return bool(run.report["maintenance"]["legacy"]["optional"]["files"])


def _is_optional(name: str, files: dict[Arm, dict[str, Side]]) -> bool:
    """A file of the semantic cache, or a list of words that only such files read."""
    if name.endswith(".py"):
        return name in OPTIONAL
    readers = {other for other, side in files["legacy"].items() if side.code is not None and f'"{name}"' in side.text}
    return bool(readers) and readers <= OPTIONAL


def _words(files: dict[Arm, dict[str, Side]], aside: set[str]) -> str:
    told = [f"{arm} is {_size([side for name, side in files[arm].items() if name not in aside])}" for arm in ARMS]
    alone = [_alone(arm, {*files[arm]} - {*files[other]} - aside) for arm, other in (ARMS, ARMS[::-1])]
    trained = sorted(file.name for file in (ROOT / "legacy_pipeline" / "artefacts").iterdir())
    return (
        f"As it is in this clone: {', '.join(told)}; of the files {' and '.join(alone)}. Files of the same name do "
        "the same job. "
        f"Both stand on shared/, which is not shown. Not shown either: what legacy's training makes, "
        f"{', '.join(trained)}."
    )


def _alone(arm: Arm, names: set[str]) -> str:
    count = sum(name.endswith(".py") for name in names)
    return f"{count or 'none'} {'is' if count == 1 else 'are'} {arm}'s alone"


def _size(sides: list[Side]) -> str:
    python = [side for side in sides if side.code is not None]
    files = f"{len(python)} Python file{'' if len(python) == 1 else 's'}"
    return f"{files} with {sum(side.code or 0 for side in python):,} lines of code"


def _pair(name: str, files: dict[Arm, dict[str, Side]]) -> str:
    there = {arm: files[arm][name] for arm in ARMS if name in files[arm]}
    sizes = ", ".join(f"{arm} {_lines(there[arm])}" if arm in there else f"not in {arm}" for arm in ARMS)
    summary = element("summary", element("code", escape(name)), " ", element("span", escape(sizes), class_="note"))
    shown = (
        element("div", element("h3", f"{arm}_pipeline/{escape(name)}", class_=f"arm-{arm}"), _code(arm, name, side))
        for arm, side in there.items()
    )
    body = element("div", *shown, class_="pair" if len(there) == len(ARMS) else None)
    return element("details", summary, body, class_="file", open=name == FIRST[0])


def _lines(side: Side) -> str:
    lines = f"{side.lines:,} line{'' if side.lines == 1 else 's'}"
    return lines if side.code is None else f"{lines} ({side.code:,} of code)"


def _code(arm: Arm, name: str, side: Side) -> str:
    return diffs.code(side.text, f"{arm}_pipeline/{name}")
