"""The change drills one by one: what was asked, what either pipeline's patch takes, and both patches side by side.

Patches, counts and results are the report's; what was asked is the first paragraph of the drill's README in this clone.
The totals over all drills are in the section on maintenance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from benchmarks.maintenance.drill_text import PASSED, sentence
from benchmarks.maintenance.drills import FOLDER, touched
from benchmarks.report.html import diffs
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element, table_of
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ABSENT: Final = "Drills are changes to the two pipelines of this clone; this run compares another system and has none."
UNCHANGED: Final = "no change needed"


def section(run: Run) -> str:
    """One drill an element that opens."""
    document = run.report["maintenance"]["drills"]
    heading = element("h2", "The same changes in both pipelines")
    if document is None:
        return element("section", heading, element("p", ABSENT), id="drills")
    played = document["played"]
    when = (
        f"Each test failed before its patch and passed after it on {played['date']} under Python {played['python']}, "
        "where nothing else is said."
        if played
        else "They have not been run here."
    )
    drills = [_drill(name, drill) for name, drill in document["drills"].items()]
    told = element("p", f"{escape(sentence(document))} {escape(when)}")
    return element("section", heading, told, *drills, id="drills")


def _drill(name: str, drill: Mapping[str, Any]) -> str:
    title = drill["title"][:1].upper() + drill["title"][1:]
    sides = "; ".join(f"{arm}: {_brief(drill[arm])}" for arm in ARMS)
    summary = element(
        "summary", element("b", escape(title)), " ", element("span", escape(f"{name[:2]}: {sides}"), class_="note")
    )
    asked = [element("p", _marked(paragraph)) for paragraph in [_asked(name)] if paragraph]
    patches = element("div", *(_patch(arm, name, drill[arm]) for arm in ARMS), class_="pair")
    return element("details", summary, *asked, _counts(drill), patches, id=f"drill-{name}", class_="drill")


def _brief(side: Mapping[str, Any]) -> str:
    lines = f"+{side['lines_added']} -{side['lines_removed']} in {_number(side['files'], 'file')}"
    parts = [lines] if side["files"] else []
    parts += [_number(len(side["steps"]), "operator step")] if side["steps"] else []
    parts += [] if side["passed"] else [f"test {PASSED[side['passed']]}"]
    return ", ".join(parts if side["files"] or side["steps"] else [UNCHANGED, *parts])


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _asked(name: str) -> str:
    """The first paragraph of the drill's README; empty where the clone has no such drill any more."""
    file = FOLDER / name / "README.md"
    if not file.is_file():
        return ""
    paragraphs = file.read_text(encoding="utf-8").split("\n\n")
    return next((" ".join(each.split()) for each in paragraphs if each.strip() and not each.startswith("#")), "")


def _marked(paragraph: str) -> str:
    """Text with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(paragraph))


def _counts(drill: Mapping[str, Any]) -> str:
    rows = {
        "files": [str(drill[arm]["files"]) for arm in ARMS],
        "hunks": [str(drill[arm]["hunks"]) for arm in ARMS],
        "lines": [f"+{drill[arm]['lines_added']} -{drill[arm]['lines_removed']}" for arm in ARMS],
        "new files": [", ".join(drill[arm]["creates"]) or "none" for arm in ARMS],
        "settings touched": [_figure(touched(drill[arm])) for arm in ARMS],
        "artefacts trained again": [", ".join(drill[arm]["artefacts"]) or "none" for arm in ARMS],
        "operator steps": ["; ".join(_steps(drill[arm])) or "none" for arm in ARMS],
        "test": [PASSED[drill[arm]["passed"]] for arm in ARMS],
    }
    note = f"Written for {drill['favours']}." if drill["favours"] == "both" else f"Favours {drill['favours']}."
    return table_of(Table("What it took", note, ["", *ARMS], [[name, *cells] for name, cells in rows.items()]))


def _figure(number: int | None) -> str:
    return "not known" if number is None else str(number)


def _steps(side: Mapping[str, Any]) -> list[str]:
    return [f"{step['kind']}: {step['what']}" for step in side["steps"]]


def _patch(arm: str, name: str, side: Mapping[str, Any]) -> str:
    head = element("h3", f"{arm}: {_brief(side)}", class_=f"arm-{arm}")
    if not side["diff"].strip():
        return element("div", head, element("p", UNCHANGED if not side["steps"] else "no patch"))
    return element("div", head, diffs.patch(side["diff"], f"Patch of {arm} for {name}"))
