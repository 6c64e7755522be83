"""The model that the direct pipeline's hardware holds against larger ones, on outcomes that others have published.

These are not this run's answers. They are drawn where direct's hardware serves that model; the differences are those of
`crossover published`, which also says what they mean for cost and for a cascade.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from benchmarks.report.html.svg import Scale, axis, element, figure, gate, mark, text, width_of
from benchmarks.table_text import Table
from shared.errors import BadInput

ID: Final = "chart-published"
WIDE, LEFT, RIGHT, ROW, TOP = 640, 176, 148, 20, 76
HEAD: Final = (
    "benchmark", "group", "larger model", "questions", "small less larger, points", "word", "at 3 bits (assumed)",
    "word", "source",
)  # fmt: skip
ENDS: Final = ("published", "rounded")


def chart(report: Mapping[str, Any]) -> str | None:
    """A row a group of questions; None where direct's hardware is of another model, or is not known."""
    document = _document(_hardware(report))
    if document is None:
        return None
    groups, margin = _groups(document), document["assumptions"]["margin"]
    bounds = [group["direct_less_large"][end][side] for group in groups for end in ENDS for side in ("low", "high")]
    scale = Scale((100 * min(bounds) - 2, 100 * max([0.0, *bounds]) + 2), (LEFT, WIDE - RIGHT))
    body, y = list[str](), TOP
    for (benchmark, large), same in groupby(groups, key=lambda group: (group["benchmark"], group["large"])):
        body.append(text(0, y, f"{benchmark}, against {_short(large)}", class_="t-bold"))
        for group in same:
            y += ROW
            body.append(_row(group, y, scale))
        y += ROW + 8
    bottom = y - ROW
    lines = [axis(scale, TOP - 26, bottom, "points of right answers, small less larger")]
    lines += [gate(scale(-100 * margin), TOP - 26, bottom, f"margin {-100 * margin:+g}")]
    lines += [element("line", class_="s-ink", x1=scale(0), x2=scale(0), y1=TOP - 26.0, y2=float(bottom)), _key()]
    note = f"{_sources(document)} At 3 bits: {document['assumptions']['retained']['most']['why']}."
    table = Table("Published outcomes", note, HEAD, [_figures(group) for group in groups])
    title = f"Published outcomes of {_short(groups[0]['small'])} against larger models"
    return figure(ID, title, _counted(document), "".join([*lines, *body]), WIDE, bottom + 44, table)


def words(report: Mapping[str, Any]) -> str:
    """How many groups come out which way, as published and rounded, and whose outcomes they are."""
    document = _document(_hardware(report))
    if document is None:
        return "Not shown: the published outcomes are of another model than direct's hardware holds."
    better = [g["group"] for g in document["groups"] if g["direct_less_large"]["published"]["word"] == "better"]
    told = f" The smaller model is the better one on {', '.join(better)}." if better else ""
    pooled = "; ".join(
        f"{group['benchmark']} against {_short(group['large'])}, {group['group']} groups together: "
        f"{_points(group['direct_less_large']['published'])}"
        for group in document["pooled"]
    )
    return (
        f"{_counted(document)}{told} {pooled[:1].upper()}{pooled[1:]}. These are not this run's answers: others asked, "
        f"in full precision, and each question counts as one. {_sources(document)}"
    )


def _groups(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every group, and after the last of a benchmark and pair of models all of these together."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for group in (*document["groups"], *document["pooled"]):
        found.setdefault((group["benchmark"], group["large"]), []).append(group)
    return [group for same in found.values() for group in same]


def _hardware(report: Mapping[str, Any]) -> str:
    """The row that direct's model runs on, by its id; none where another system is compared."""
    row = report["provenance"]["hardware"].get("direct.call")
    return row["id"] if row else ""


@functools.cache
def _document(hardware: str) -> Mapping[str, Any] | None:
    """What `crossover published` says, where the row is in the catalogue and serves the outcomes' small model."""
    from benchmarks.published.measure import measure

    try:
        return measure(hardware=[hardware])
    except BadInput:
        return None


def _counted(document: Mapping[str, Any]) -> str:
    """How many groups have which word, at either end of what rounding may take."""
    said = []
    for end, how in zip(ENDS, ("as published", "at 3 bits throughout, which is assumed and the far end"), strict=True):
        counted = Counter(group["direct_less_large"][end]["word"] for group in document["groups"])
        said.append(f"{how}: {', '.join(f'{count} {word}' for word, count in counted.most_common())}")
    outcomes, small = document["outcomes"], _short(document["groups"][0]["small"])
    return (
        f"{small} less a larger model on {outcomes['groups']} groups with {outcomes['answer_pairs']:,} pairs of "
        f"answers, at a margin of {100 * document['assumptions']['margin']:g} points; {'; '.join(said)}."
    )


def _sources(document: Mapping[str, Any]) -> str:
    return f"Sources: {'; '.join(dict.fromkeys(group['source'] for group in document['groups']))}."


def _row(group: Mapping[str, Any], y: float, scale: Scale) -> str:
    """The interval as published with the word's shape, and below it, thin and with a ring, at 3 bits."""
    published, rounded = (group["direct_less_large"][end] for end in ENDS)
    parts = [text(8, y, group["group"]), text(WIDE - RIGHT + 8, y, f"{_points(published)}", class_="t-muted")]
    for gap, at, style in ((published, y - 6.0, "s-ink"), (rounded, y + 1.0, "s-neutral dashed")):
        ends = [scale(100 * gap[side]) for side in ("low", "high")]
        parts.append(element("line", class_=style, x1=ends[0], x2=ends[1], y1=at, y2=at))
    parts.append(element("circle", class_="s-neutral hollow", cx=scale(100 * rounded["estimate"]), cy=y + 1.0, r=2.5))
    parts.append(mark(published["word"], scale(100 * published["estimate"]), y - 6.0, 4.5))
    return element("g", *parts)


def _key() -> str:
    """What the shapes and the two lines of a row are."""
    parts, x = list[str](), 6.0
    for word in ("better", "worse", "equivalent", "inconclusive"):
        parts += [mark(word, x, 12, 4.5), text(x + 10, 16, word)]
        x += 26 + width_of(word)
    parts.append(element("line", class_="s-neutral dashed", x1=x, x2=x + 24, y1=12.0, y2=12.0))
    parts.append(element("circle", class_="s-neutral hollow", cx=x + 12, cy=12.0, r=2.5))
    return "".join([*parts, text(x + 30, 16, "with all weights at 3 bits (assumed)")])


def _figures(group: Mapping[str, Any]) -> list[str]:
    published, rounded = (group["direct_less_large"][end] for end in ENDS)
    return [
        group["benchmark"], group["group"], _short(group["large"]), f"{group['questions']:,}", _points(published),
        published["word"], _points(rounded), rounded["word"], group["source"],
    ]  # fmt: skip


def _short(model: str) -> str:
    return model.removesuffix(" Instruct")


def _points(gap: Mapping[str, Any]) -> str:
    return f"{gap['estimate'] * 100:+.1f} [{gap['low'] * 100:+.1f}, {gap['high'] * 100:+.1f}]"
