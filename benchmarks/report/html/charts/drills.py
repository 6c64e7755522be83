"""What the same changes took in both pipelines: lines as bars; files, operator steps and trainings as marks.

It shows every change of the list, those that were written for legacy named as such. The diffs are in the section on
code, what the hours rest on in `benchmarks/maintenance/hours.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.maintenance import drill_text
from benchmarks.report.html.svg import Scale, axis, element, figure, legend, text
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-drills"
WIDE, LEFT, BAR, MARKS, ROW, TOP, THICK = 640, 62, 270, 444, 58, 62, 12
SHAPES: Final = (("file", "square"), ("step", "triangle"), ("training", "ring"))
HEAD: Final = (
    "change", "written for", "legacy: lines", "files", "steps", "trained again",
    "direct: lines", "files", "steps", "trained again",
)  # fmt: skip


def chart(report: Mapping[str, Any]) -> str | None:
    """Two bars a change; None where no changes were made, since another system is compared."""
    document = report["maintenance"]["drills"]
    if not document or not document["drills"]:
        return None
    drills = document["drills"]
    scale = Scale((0, max(1, *(_lines(each[arm]) for each in drills.values() for arm in ARMS))), (LEFT, LEFT + BAR))
    bottom = TOP + ROW * len(drills)
    body = [legend(0, 16, [("c-legacy", "legacy"), ("c-direct", "direct")]), _key(190, 16)]
    body.append(axis(scale, TOP - 12, bottom, "lines added and removed"))
    body += [_drill(name, each, TOP + ROW * number, scale) for number, (name, each) in enumerate(drills.items())]
    rows = [
        [each["title"], each["favours"], *(str(n) for arm in ARMS for n in (_lines(each[arm]), *_marks(each[arm])))]
        for each in drills.values()
    ]
    note = "A step is what an operator does by hand, a redeploy too. Which changes are on the list decides the totals."
    table = Table("The same changes in both", note, HEAD, rows)
    return figure(ID, "The same changes in both pipelines", _told(drills), "".join(body), WIDE, bottom + 40, table)


def words(report: Mapping[str, Any]) -> str:
    """The summary in both directions, then the hours with what they rest on."""
    document = report["maintenance"]["drills"]
    if not document or not document["drills"]:
        return "Not measured: changes were made in this clone's two pipelines only, and another system is compared."
    wanted = sum(each["favours"] == "legacy" for each in document["drills"].values())
    told = f"{wanted} of them were written as changes that legacy should make more easily."
    return f"{drill_text.sentence(document)} {told} {drill_text.hours_sentence(document)}"


def _told(drills: Mapping[str, Any]) -> str:
    """What the picture shows, for those who cannot see it."""
    more = {arm: sum(_lines(each[arm]) > _lines(each[other]) for each in drills.values())
            for arm, other in zip(ARMS, reversed(ARMS), strict=True)}  # fmt: skip
    return (
        f"{len(drills)} changes, two bars each. More lines in legacy for {more['legacy']}, in direct for "
        f"{more['direct']}, as many for {len(drills) - sum(more.values())}."
    )


def _lines(side: Mapping[str, Any]) -> int:
    return int(side["lines_added"] + side["lines_removed"])


def _marks(side: Mapping[str, Any]) -> tuple[int, int, int]:
    """Files, operator steps, artefacts trained again."""
    return side["files"], len(side["steps"]), len(side["artefacts"])


def _drill(name: str, drill: Mapping[str, Any], top: int, scale: Scale) -> str:
    number, _, rest = name.partition("-")
    heading = f"{int(number)}. {rest.replace('-', ' ')}" if number.isdigit() else name
    about = " (written for legacy)" if drill["favours"] == "legacy" else ""
    parts = [text(0, top + 10, heading + about, class_="t-bold")]
    for place, arm in enumerate(ARMS):
        y, side = float(top + 16 + place * (THICK + 4)), drill[arm]
        count, wide = _lines(side), scale(_lines(side)) - LEFT
        parts.append(text(LEFT - 8, y + THICK - 2, arm, text_anchor="end"))
        if count:
            parts.append(element("rect", class_=f"c-{arm}", x=float(LEFT), y=y, width=wide, height=THICK))
        nothing = not (count or any(_marks(side)))
        parts.append(text(LEFT + wide + 6, y + THICK - 2, "nothing to change" if nothing else f"{count:,}"))
        at = float(MARKS)
        for (_, shape), times in zip(SHAPES, _marks(side), strict=True):
            parts += [_shape(shape, at + 13 * each, y + THICK / 2) for each in range(times)]
            at += 13 * times + (8 if times else 0)
    return "".join(parts)


def _key(x: float, y: float) -> str:
    parts = []
    for name, shape in SHAPES:
        parts += [_shape(shape, x, y - 4), text(x + 11, y, f"one {name}")]
        x += 110
    return "".join(parts)


def _shape(shape: str, x: float, y: float) -> str:
    if shape == "square":
        return element("rect", class_="c-neutral", x=x - 4.5, y=y - 4.5, width=9, height=9)
    if shape == "triangle":
        corners = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"
        return element("polygon", class_="c-ink", points=corners)
    return element("circle", class_="s-ink hollow", cx=x, cy=y, r=4.0, stroke_width=2)
