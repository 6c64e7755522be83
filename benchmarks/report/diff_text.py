"""The difference of two runs as JSON, as columns for a terminal, and as Markdown short enough for a pull request.

What is the same in both runs is named in one line, and so is what could not be compared; the table has the rest. No
figure is worked out here.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.report.diff import SCHEMA, Change, Difference
from benchmarks.report.html.run import Run
from benchmarks.report.terminal import seconds_text
from benchmarks.table_text import Table, columns, markdown

Gates = Sequence[Mapping[str, str]]
HEAD: Final = ("", "before", "after", "change", "word")
WIDTH: Final = 80
MOST_SETTINGS: Final = 6
SPOKEN: Final = ("same", "not compared", "not known")
"""Words whose figures stand in a line below the table."""


def document(before: Run, after: Run, found: Difference, gates: Gates) -> dict[str, Any]:
    """All that was found, in SI units."""
    return {
        "schema": SCHEMA,
        "before": str(before.directory),
        "after": str(after.directory),
        "questions": {"both": found.questions, "before": found.asked[0], "after": found.asked[1]},
        "verdict": dict(found.verdict),
        "changes": [each.document() for each in found.changes],
        "failure_modes": found.modes,
        "set_otherwise": list(found.setting),
        "gates": list(gates),
    }


def text(before: Run, after: Run, found: Difference, gates: Gates, *, as_markdown: bool) -> str:
    """The verdict, the table of what changed, and what is to be said of the rest."""
    shown = [each for each in found.changes if each.word not in SPOKEN]
    which = "; ".join(
        f"{side}: {run.directory} ({run.report['provenance']['run']['date'][:10]})"
        for side, run in (("Before", before), ("after", after))
    )
    note = f"{which}. A change is after - before, with its 95 % interval; costs are of decisions."
    rows = [_row(each) for each in shown] or [("nothing", "", "", "", "")]
    title = f"Verdict: {_then(found.verdict['overall'])}"
    lines = [*_standings(shown), *_spoken(found), *_told(found), *_gates(gates)]
    if as_markdown:
        return "\n".join([markdown([Table(title, note, HEAD, rows)]), "", *(f"- {line}" for line in lines)])
    wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in (note, *lines)]
    return "\n".join([columns([Table(title, wrapped[0], HEAD, rows)]), "", *wrapped[1:]])


def _then(pair: Sequence[str | None]) -> str:
    one, other = (each or "not there" for each in pair)
    return f"{one}, as before" if one == other else f"{one}, then {other}"


def _row(each: Change) -> tuple[str, ...]:
    name = "cost per 1,000" if each.unit == "usd" else each.name
    figures = [_figure(each.unit, value) for value in (each.before, each.after)]
    return (f"{name}, {each.arm}", *figures, _change(each), each.word)


def _figure(unit: str, value: float | None) -> str:
    if value is None:
        return "not known"
    if unit == "score":
        return f"{100 * value:.1f} %"
    if unit == "s":
        return seconds_text(value)
    return f"${1000 * value:.4g}" if unit == "usd" else f"{value:,.0f}"


def _change(each: Change) -> str:
    """The difference with its interval, in the unit of the larger figure and to three digits of it."""
    if each.estimate is None:
        return ""
    if each.unit == "count":
        return f"{each.estimate:+,.0f}"
    largest = max(abs(value or 0.0) for value in (each.before, each.after))
    scale, unit = {"score": (100.0, " points"), "usd": (1000.0, "")}.get(each.unit) or _time_unit(largest)
    digits = 1 if each.unit == "score" else max(2 - math.floor(math.log10(largest * scale or 1.0)), 0)
    inside = ""
    if each.low is not None or each.high is not None:
        inside = f" [{', '.join(_signed(end, scale, digits) for end in (each.low, each.high))}]"
    return f"{_signed(each.estimate, scale, digits)}{unit}{inside}"


def _time_unit(seconds: float) -> tuple[float, str]:
    return (1.0, " s") if seconds >= 1 else (1e3, " ms") if seconds >= 0.01 else (1e6, " us")


def _signed(value: float | None, scale: float, digits: int) -> str:
    """Nothing that rounds to 0 has a minus."""
    return "no end" if value is None else f"{round(value * scale, digits) + 0.0:+.{digits}f}"


def _standings(changes: Sequence[Change]) -> list[str]:
    """How the figures of the table came to be."""
    by_word: dict[str, list[Change]] = {}
    for each in changes:
        by_word.setdefault(each.standing, []).append(each)
    return [f"Standing: {'; '.join(f'{_named(some)} {word}' for word, some in by_word.items())}."] if by_word else []


def _spoken(found: Difference) -> list[str]:
    """What the table leaves out, by word and by reason."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for each in found.changes:
        if each.word in SPOKEN:
            groups.setdefault((each.word, "" if each.word == "same" else each.why), []).append(each)
    return [f"{word.capitalize()}{f' ({why})' if why else ''}: {_named(some)}." for (word, why), some in groups.items()]


def _named(changes: Sequence[Change]) -> str:
    """Their names, those of both arms together."""
    arms: dict[str, list[str]] = {}
    for each in changes:
        arms.setdefault(each.name, []).append(each.arm)
    by_arms: dict[str, list[str]] = {}
    for name, those in arms.items():
        by_arms.setdefault(" and ".join(those), []).append(name)
    return "; ".join(f"{', '.join(names)} of {those}" for those, names in by_arms.items())


def _told(found: Difference) -> list[str]:
    """The verdict's tasks and reasons, the questions, new failure modes, and what was set otherwise."""
    tasks = found.verdict["by_task"]
    lines = [f"Verdict by task: {'; '.join(f'{task} {_then(pair)}' for task, pair in tasks.items())}."] if tasks else []
    lines.append(f"Reasons after: {'; '.join(found.verdict['reasons'])}.")
    if (found.questions, found.questions) != found.asked:
        lines.append(
            f"Quality is compared on the {found.questions} questions that both have; before had {found.asked[0]}, "
            f"after {found.asked[1]}."
        )
    for arm, modes in found.modes.items():
        lines += [
            f"Failure modes of {arm} that are {which}: {'; '.join(names)}." for which, names in modes.items() if names
        ]
    more = len(found.setting) - MOST_SETTINGS
    listed = found.setting[: MOST_SETTINGS if more > 0 else None]
    lines += [f"Set otherwise: {each}." for each in listed]
    return [*lines, f"Set otherwise: {more} more; --json has all."] if more > 0 else lines


def _gates(gates: Gates) -> list[str]:
    return [f"Gate {each['gate']} on the change: {each['state']} ({each['why']})." for each in gates]
