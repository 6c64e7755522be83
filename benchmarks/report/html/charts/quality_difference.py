"""The difference in quality, all questions together and each task alone: 95 % intervals beside the margin.

Shapes say each interval's word, so the picture does without colour. Tasks are looked at one by one in it; which of them
stay worse once that is corrected for, the words and the table say. What the difference is made of: `attribution.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.report import quality_text
from benchmarks.report.html.svg import Scale, axis, element, figure, gate, mark, text, width_of
from benchmarks.report.quality_text import with_interval
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-quality-difference"
TITLE: Final = "Quality: direct less legacy, in points of mean score"
WIDTH: Final = 640
LEFT, RIGHT, SCORES = 138, 500, (570, 632)
TOP, ROW, UNDER = 22, 26, 66
WORDS: Final = ("worse", "inconclusive", "equivalent", "better")
Line = tuple[str, Mapping[str, Any]]


def chart(report: Mapping[str, Any]) -> str | None:
    """The picture and its table; None where quality is not measured on both sides."""
    quality = report["quality"]
    if quality["right"] is None:
        return None
    lines, margin = _lines(quality), -100 * quality["margin"]
    found = [each["difference"] for _, each in lines]
    known = [100 * each[end] for each in found for end in ("estimate", "low", "high") if each[end] is not None]
    scale = Scale((min(*known, margin, -1.0), max(*known, 1.0)), (LEFT, RIGHT))
    bottom = TOP + ROW * len(lines)
    parts = [axis(scale, TOP, bottom, "points, with 95 % intervals", lambda each: f"{each:+g}" if each else "0")]
    parts.append(element("line", class_="s-ink", x1=scale(0), x2=scale(0), y1=TOP, y2=bottom))
    parts.append(gate(scale(margin), TOP, bottom, f"margin {margin:g}"))
    parts += [text(x, TOP - 4, arm, class_="t-muted", text_anchor="end") for x, arm in zip(SCORES, ARMS, strict=True)]
    for number, (name, each) in enumerate(lines):
        parts += _row(scale, TOP + ROW * (number + 0.5), name, each)
    parts += _legend([word for word in WORDS if any(each["word"] == word for each in found)], bottom + UNDER - 8)
    desc = f"Estimates and intervals on {len(lines)} lines: all questions, then each task, the worst for direct first."
    return figure(ID, TITLE, desc, "".join(parts), WIDTH, bottom + UNDER, _table(lines))


def words(report: Mapping[str, Any]) -> str:
    """Both scores, the difference and how sure it is, and the tasks on which it goes which way."""
    quality = report["quality"]
    alike, tasks = quality["questions_like_these"], quality["by_task"]
    found = alike["difference"]
    if quality["right"] is None or found["low"] is None:
        return quality_text.lines(quality)[0]
    said = [
        f"On questions like these legacy scores {alike['legacy']['score']:.1%} and direct "
        f"{alike['direct']['score']:.1%}: direct - legacy is {with_interval(found)} points over {found['items']:,} "
        f"questions, each counted once. With a margin of {quality['margin'] * 100:g} points that is {found['word']}."
    ]
    if found["word"] == "inconclusive":
        more = found["further_items"]
        said.append(f"Why: {found['reason']}{f'; about {more:,} more questions would decide' if more else ''}.")
    if len(tasks) > 1:
        by_word = {word: [name for name, each in tasks.items() if each["difference"]["word"] == word] for word in WORDS}
        told = [f"{word} on {len(names)} ({', '.join(names)})" for word, names in by_word.items() if names]
        said.append(f"Of {len(tasks)} tasks, each looked at alone, direct is {'; '.join(told)}.")
    if quality["tasks_tested"] > 1:
        worse = ", ".join(quality["worse_somewhere"]) or "no task for sure"
        said.append(f"Corrected for looking at {quality['tasks_tested']} tasks (Holm), direct is worse on {worse}.")
    return " ".join(said)


def _lines(quality: Mapping[str, Any]) -> list[Line]:
    """All questions first, then the tasks, the worst for direct first."""
    whole = {"questions": quality["questions"], **quality["questions_like_these"]}
    known = [each for each in quality["by_task"].items() if each[1]["difference"]["estimate"] is not None]
    return [("all questions", whole), *sorted(known, key=lambda each: each[1]["difference"]["estimate"])]


def _row(scale: Scale, y: float, name: str, each: Mapping[str, Any]) -> Iterator[str]:
    found = each["difference"]
    weight = 600 if name == "all questions" else None
    yield text(LEFT - 12, y + 4, _short(name), text_anchor="end", font_weight=weight)
    x = scale(100 * found["estimate"])
    if found["low"] is None:
        yield text(x + 10, y + 4, found["reason"], class_="t-muted")
    else:
        low, high = scale(100 * found["low"]), scale(100 * found["high"])
        colour = {"better": "s-good", "worse": "s-bad"}.get(found["word"], "s-neutral")
        yield element("line", class_=colour, stroke_width=2, x1=low, x2=high, y1=y, y2=y)
    yield mark(found["word"], x, y)
    for at, arm in zip(SCORES, ARMS, strict=True):
        yield text(at, y + 4, f"{each[arm]['score']:.1%}", text_anchor="end", font_weight=weight)


def _short(name: str) -> str:
    """As much of a task's name as there is room for; the table has all of it."""
    return name if width_of(name) <= LEFT - 14 else f"{name[:14]}..."


def _legend(present: Sequence[str], y: float) -> Iterator[str]:
    at = float(LEFT)
    for word in present:
        yield mark(word, at + 6, y - 4)
        yield text(at + 18, y, word)
        at += 18 + width_of(word) + 14


def _table(lines: Sequence[Line]) -> Table:
    rows = []
    for name, each in lines:
        found = each["difference"]
        holm = found.get("p_worse_holm")
        told = found["reason"] if found["low"] is None else with_interval(found)
        scores = [f"{each[arm]['score']:.1%}" for arm in ARMS]
        rows.append((name, str(found["items"]), *scores, told, found["word"], "" if holm is None else f"{holm:.3g}"))
    head = ("questions", "counted", *ARMS, "direct - legacy, points", "alone", "p worse (Holm)")
    return Table(TITLE, "Each question counted once; 95 % intervals, each task alone.", head, rows)
