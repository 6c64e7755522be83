"""The change drills as tables: a row a change, then what they come to, either way around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.maintenance.drills import KINDS, touched
from benchmarks.maintenance.hours import BOUNDS
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

NOTE: Final = (
    "By pipeline: files of its patch, hunks in them, lines added and removed, settings added, removed or changed, "
    "artefacts trained again, operator steps (a redeploy is one), and whether the test failed before and passed after."
)
GROUPS: Final = {"all": "all", "both": "written for both"}
OVER: Final = {"all": "in all", "both": "written for both"}
ENDS: Final = {"value": "as assumed", "low": "all rates at their low end", "high": "all rates at their high end"}
SUMMED: Final = (
    ("changes", "drills"),
    ("changes that need nothing", "no_change"),
    ("changes that take fewer lines here", "fewer_lines"),
    ("files, median", "files_median"),
    ("lines, median", "lines_median"),
    ("files, in all", "files"),
    ("hunks, in all", "hunks"),
    ("lines, in all", "lines"),
    ("settings touched", "settings"),
    ("artefacts trained again", "artefacts"),
    ("of them trained by a command that is run here", "trained_here"),
)
PASSED: Final = {True: "passed", False: "failed", None: "not run as it is"}


def tables(document: Mapping[str, Any]) -> list[Table]:
    """The document of `crossover drills`."""
    found, summary, played = document["drills"], document["summary"], document["played"]
    head = ["change", "written for"]
    for arm in ARMS:
        head += [f"{arm}: files", "hunks", "lines", "settings", "trained", "steps", "test"]
    rows = [
        [name, each["favours"], *(cell for arm in ARMS for cell in _cells(each[arm]))] for name, each in found.items()
    ]
    when = f" Played on {played['date']} under Python {played['python']}." if played else ""
    columns = [(group, arm) for group in summary for arm in ARMS]
    sums = [[text, *(_number(summary[group][arm][key]) for group, arm in columns)] for text, key in SUMMED]
    sums += [[f"steps: {kind}", *(str(summary[group][arm]["steps"][kind]) for group, arm in columns)] for kind in KINDS]
    over = ["", *(f"{arm}, {GROUPS[group]}" for group, arm in columns)]
    a_month = document["hours_per_month"]
    hours = [[text, *(f"{a_month[group][arm][end]:.1f}" for group, arm in columns)] for end, text in ENDS.items()]
    rates = [
        [name, *(f"{each[bound]:g}" for bound in BOUNDS), each["why"]] for name, each in document["assumed"].items()
    ]
    note = f"At {document['changes_per_month']:g} such changes a month. {hours_sentence(document)}"
    return [
        Table("The same changes in both", NOTE + when, head, rows),
        Table("Over all of them", sentence(document), over, sums),
        Table("Hours of engineering a month", note, over, hours),
        Table("Assumed for them", "The same for both pipelines.", ["hours a", *BOUNDS, "what and why"], rates),
    ]


def sentence(document: Mapping[str, Any]) -> str:
    """The summary in words, both directions alike."""
    of = document["summary"]["all"]
    number = f"{of['legacy']['drills']} change{'' if of['legacy']['drills'] == 1 else 's'}"

    def each(key: str) -> str:
        return " / ".join(f"{of[arm][key]:g}" for arm in ARMS)

    steps = " / ".join(str(sum(of[arm]["steps"].values())) for arm in ARMS)
    return (
        f"Of {number} legacy needs nothing for {of['legacy']['no_change']}, direct for "
        f"{of['direct']['no_change']}; legacy takes fewer lines for {of['legacy']['fewer_lines']}, direct for "
        f"{of['direct']['fewer_lines']}. Legacy / direct: median files {each('files_median')}, median lines "
        f"{each('lines_median')}, operator steps {steps}, artefacts trained again {each('artefacts')}, "
        f"{each('trained_here')} of them here. Which changes are on the list decides the totals."
    )


def hours_sentence(document: Mapping[str, Any]) -> str:
    """What the hours of one pipeline are to the other's, and what the drills make more than once."""
    summary = document["summary"]
    told = ["Nobody was timed: hours are counts times assumed rates."]
    for group, ratio in document["hours_ratio"].items():
        number = summary[group]["legacy"]["drills"]
        told.append(f"Over {number} {OVER[group]}, direct takes {_compared(ratio)}.")
    told += [
        f"Drills do not build on one another: {arm} makes {path} anew in {times} of them."
        for arm in ARMS
        for path, times in summary["all"][arm]["creates"].items()
        if times > 1
    ]
    return " ".join(told)


def _compared(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return "hours of which there is no ratio, since legacy takes none"
    which = "more or fewer, depending on the rates"
    if ratio["low"] > 1:
        which = "more at any of the rates"
    elif ratio["high"] < 1:
        which = "fewer at any of the rates"
    return f"{ratio['value']:.2f} times legacy's hours ({ratio['low']:.2f} to {ratio['high']:.2f}: {which})"


def _number(figure: float | None) -> str:
    return "not known" if figure is None else f"{figure:g}"


def _cells(side: Mapping[str, Any]) -> list[str]:
    return [
        str(side["files"]),
        str(side["hunks"]),
        f"+{side['lines_added']} -{side['lines_removed']}",
        _number(touched(side)),
        str(len(side["artefacts"])),
        str(len(side["steps"])),
        PASSED[side["passed"]],
    ]
