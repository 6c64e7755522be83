"""From legacy's score to direct's, one component after the other: a waterfall that adds up exactly.

The scores are those of this traffic, each question as often as it was asked. Components are taken away in the order of
a request's way (cache, routing, model); the other order is in the words. What the stages cost in money and time:
`stages.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.quality.attribution import EQUAL, UNASKED
from benchmarks.report.html.svg import Scale, axis, element, figure, text
from benchmarks.report.quality_text import LEAST, PARTS, points, with_interval
from benchmarks.scenario import ARMS
from benchmarks.table_text import Table

ID: Final = "chart-attribution"
TITLE: Final = "Where the difference in quality comes from"
WIDTH: Final = 640
LEFT, RIGHT = 258, 572
TOP, ROW, BAR, UNDER = 8, 30, 18, 40
GROUPS: Final = {"cache_parts": "cache", "routing_parts": "routing"}


@dataclass(frozen=True, slots=True)
class Step:
    """What one component adds to direct less legacy, in [-1, 1].

    `arm` is who gains or loses by it, "" where nobody can say; `requests` is None where they are not counted.
    """

    name: str
    effect: float
    arm: str = ""
    requests: int | None = None


def steps(report: Mapping[str, Any]) -> list[Step]:
    """The components; with legacy's score they add up to direct's. Empty where nothing could be attributed."""
    quality = report["quality"]
    found = quality["attribution"]
    if found is None or found["cache"] is None:
        return []
    told: list[Step] = []
    for group, whole in GROUPS.items():
        parts = [(arm, name, found[group][part]) for where, part, arm, name in PARTS if where == group]
        told += [Step(name, part["effect"], arm, part["requests"]) for arm, name, part in parts]
        told += _rest(f"{whole}, other", found[whole] - sum(part["effect"] for _, _, part in parts))
    told.append(Step("the model, against always large", found["backend"], "direct"))
    if found["unattributed"]:
        told.append(Step("unattributed", found["unattributed_points"], "", found["unattributed"]))
    legacy, direct = (quality[arm]["score"] for arm in ARMS)
    return told + _rest("not in the attribution", direct - legacy - sum(step.effect for step in told))


def _rest(name: str, effect: float) -> list[Step]:
    return [Step(name, effect)] if abs(effect) > EQUAL else []


def chart(report: Mapping[str, Any]) -> str | None:
    """The picture and its table; None where nothing could be attributed."""
    told = steps(report)
    if not told:
        return None
    levels = list(_levels(report["quality"]["legacy"]["score"], told))
    scale = Scale((0.0, 100 * max(*levels, EQUAL)), (LEFT, RIGHT))
    bottom = TOP + ROW * (len(told) + 2)
    parts = [axis(scale, TOP, bottom, "mean score on this traffic, points of 100")]
    parts += _bar(scale, 0, "legacy", (0.0, levels[0]), "c-legacy", f"{levels[0] * 100:.1f}")
    for number, (step, level) in enumerate(zip(told, levels, strict=False), start=1):
        name = step.name if step.requests is None else f"{step.name} ({step.requests:,})"
        colour = "c-good" if step.effect > EQUAL else "c-bad" if step.effect < -EQUAL else "c-neutral"
        parts += _bar(scale, number, name, (level, level + step.effect), colour, points(step.effect))
    parts += _bar(scale, len(told) + 1, "direct", (0.0, levels[-1]), "c-direct", f"{levels[-1] * 100:.1f}")
    for number, level in enumerate(levels):
        x, y = scale(100 * level), TOP + ROW * (number + 0.5) + BAR / 2
        parts.append(element("line", class_="s-neutral", x1=x, x2=x, y1=y, y2=y + ROW - BAR))
    desc = "A bar of legacy's score, a step for each component, each from where the last one ended, and direct's score."
    return figure(ID, TITLE, desc, "".join(parts), WIDTH, bottom + UNDER, _table(report, told))


def words(report: Mapping[str, Any]) -> str:
    """Who gains and loses what by which component, with the intervals of the whole effects."""
    quality, told = report["quality"], steps(report)
    found = quality["attribution"]
    if not told:
        kind = report["provenance"]["scenario"]["legacy"]["kind"]
        why = "quality is not measured on both sides, or the run was cut short" if found is None else found["reason"]
        why = why if kind == "builtin" else UNASKED.format(kind)
        return f"Nothing could be attributed to a component: {why}."
    said = [_told(step) for step in told if abs(step.effect) >= LEAST]
    scores = " and ".join(f"{arm} scores {quality[arm]['score']:.1%}" for arm in ARMS)
    parts = [f"On this traffic {scores}: {'; '.join(said) or 'no component has an effect'}."]
    if found["same_model"]:
        parts.append("Direct's model is legacy's large one, so what differs between them is chance.")
    if found["intervals"]["cache"]["low"] is not None:
        effects = ", ".join(f"{name} {interval}" for name, interval in _effects(found))
        parts.append(f"Effects on direct - legacy in points, jointly 95 %: {effects}.")
    other = found["router_first"]
    if any(abs(other[name] - found[name]) >= LEAST for name in ("cache", "routing")):
        parts.append(f"Router first, then cache: routing {points(other['routing'])}, cache {points(other['cache'])}.")
    if found["unattributed"]:
        parts.append(f"{found['unattributed']} of {found['requests']} requests are unattributed: {found['reason']}.")
    return " ".join(parts)


def _told(step: Step) -> str:
    if not step.arm:
        return f"{step.name}: {points(step.effect)} points"
    gains = (step.effect > 0) == (step.arm == "direct")
    return f"{step.arm} {'gains' if gains else 'loses'} {abs(step.effect) * 100:.1f} points by {step.name}"


def _effects(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("cache", "routing", "backend"):
        yield name, with_interval({"estimate": found[name], **found["intervals"][name]})


def _levels(first: float, told: Sequence[Step]) -> Iterator[float]:
    """Legacy's score, then the score after each step; the last is direct's."""
    yield first
    for step in told:
        first += step.effect
        yield first


def _bar(scale: Scale, row: int, name: str, ends: tuple[float, float], colour: str, label: str) -> Iterator[str]:
    """A bar between two scores with its name to the left and its figure to the right."""
    y = TOP + ROW * (row + 0.5)
    low, high = sorted(scale(100 * end) for end in ends)
    weight = 600 if name in ARMS else None
    yield text(LEFT - 10, y + 4, name, text_anchor="end", font_weight=weight)
    yield element("rect", class_=colour, x=low, width=max(high - low, 1.0), y=y - BAR / 2, height=BAR)
    yield text(high + 6, y + 4, label, font_weight=weight)


def _table(report: Mapping[str, Any], told: Sequence[Step]) -> Table:
    quality = report["quality"]
    first, last = (f"{quality[arm]['score'] * 100:.1f}" for arm in ARMS)
    rows = [("legacy", "", "", first)]
    for step, level in zip(told, list(_levels(quality["legacy"]["score"], told))[1:], strict=True):
        requests = "" if step.requests is None else f"{step.requests:,}"
        rows.append((step.name, requests, points(step.effect), f"{level * 100:.1f}"))
    note = "An effect above 0 is what direct gains, or legacy loses, by that component."
    return Table(TITLE, note, ("component", "requests", "effect, points", "score"), [*rows, ("direct", "", "", last)])
