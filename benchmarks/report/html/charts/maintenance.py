"""How much there is to maintain on either side, as paired bars: surface, not effort, for which see `drills.py`.

Each count has a scale of its own, so lengths compare within a pair and never between pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.report.html.svg import element, figure, hatch, legend, text
from benchmarks.scenario import ARMS, Arm
from benchmarks.table_text import Table

ID: Final = "chart-maintenance"
WIDE, LEFT, BAR, ROW, TOP, THICK = 620, 170, 236, 46, 40, 13
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True, slots=True)
class Count:
    """One thing that is counted on both sides: None where it was not. `off` is what is there but switched off."""

    name: str
    now: Mapping[Arm, int | None]
    off: Mapping[Arm, int]

    @property
    def difference(self) -> int | None:
        legacy, direct = self.now["legacy"], self.now["direct"]
        return None if legacy is None or direct is None else direct - legacy


def chart(report: Mapping[str, Any]) -> str | None:
    """The bars; None where neither side was counted."""
    counts = _counts(report)
    if all(count.now[arm] is None for count in counts for arm in ARMS):
        return None
    entries = [("c-legacy", "legacy"), ("c-direct", "direct")]
    if any(count.off.values() for count in counts):
        entries.append((hatch(ID), "there, but switched off"))
    body = [legend(LEFT, 16, entries), text(WIDE - 6, 16, "direct less legacy", class_="t-muted", text_anchor="end")]
    body += [_pair(count, TOP + ROW * number) for number, count in enumerate(counts)]
    rows = [
        [
            count.name,
            *(_told(count.now[arm]) for arm in ARMS),
            *(f"{count.off[arm]:,}" for arm in ARMS),
            NOT_MEASURED if count.difference is None else f"{count.difference:+,}",
        ]
        for count in counts
    ]
    head = ["what", "legacy", "direct", "legacy, switched off", "direct, switched off", "direct less legacy"]
    note = "Counts of what is there. They say nothing of effort: for that, the same changes were made in both."
    table = Table("To maintain", note, head, rows)
    return figure(ID, "What there is to maintain", words(report), "".join(body), WIDE, TOP + ROW * len(counts), table)


def words(report: Mapping[str, Any]) -> str:
    """What either side has less of, what is alike, and what was counted on one side only."""
    counts = _counts(report)
    known = [(count, count.difference) for count in counts if count.difference is not None]
    if not known:
        return "Not measured on both sides: the source of at least one of them is not here."
    said = []
    sides: tuple[tuple[Arm, Arm, int], ...] = (("direct", "legacy", -1), ("legacy", "direct", 1))
    for arm, other, sign in sides:
        fewer = [
            f"{count.name} ({_told(count.now[arm])} against {_told(count.now[other])})"
            for count, apart in known
            if apart * sign > 0
        ]
        said.append(f"{arm.capitalize()} has fewer {_listed(fewer) or 'of nothing that was counted'}.")
    alike = [f"{count.name} ({_told(count.now['legacy'])})" for count, apart in known if apart == 0]
    off = [f"{count.off[arm]:,} {count.name} of {arm}" for count in counts for arm in ARMS if count.off[arm]]
    dark = [count.name for count in counts if count.difference is None]
    said += [
        f"{what}: {_listed(each)}."
        for what, each in (
            ("Alike", alike),
            ("Left out, since it is there but switched off", off),
            ("Not measured on both sides", dark),
        )
        if each
    ]
    return " ".join(said)


def _counts(report: Mapping[str, Any]) -> list[Count]:
    sides: dict[Arm, Mapping[str, Any]] = {arm: report["maintenance"][arm] for arm in ARMS}
    off = {arm: sides[arm]["optional"] or {"lines": 0, "settings": ()} for arm in ARMS}
    ways = {arm: _way((sides[arm]["third_party"] or {"ways": {}})["ways"]) for arm in ARMS}
    through = " / ".join(dict.fromkeys(way for way, _ in ways.values() if way))
    nothing: dict[Arm, int] = dict.fromkeys(ARMS, 0)
    return [
        Count("lines of code", {arm: sides[arm]["lines"] for arm in ARMS}, {arm: off[arm]["lines"] for arm in ARMS}),
        Count("functions", {arm: sides[arm]["functions"] for arm in ARMS}, nothing),
        Count("settings", {arm: _size(sides[arm]["settings"]) for arm in ARMS},
              {arm: len(off[arm]["settings"]) for arm in ARMS}),
        Count("failure modes", {arm: _sum(sides[arm]["failure_modes"]) for arm in ARMS}, nothing),
        Count("modules needed", {arm: _size((sides[arm]["imports"] or {}).get("modules")) for arm in ARMS}, nothing),
        Count(f"packages with {through}" if through else "packages", {arm: ways[arm][1] for arm in ARMS}, nothing),
    ]  # fmt: skip


def _way(ways: Mapping[str, Any]) -> tuple[str, int | None]:
    """By which way to a model the packages are counted, litellm where there are several, and how many they are."""
    for name in ("litellm", *ways):
        if name in ways:
            return name, ways[name]["count"]
    return "", None


def _size(names: Sequence[str] | None) -> int | None:
    return None if names is None else len(names)


def _sum(counted: Mapping[str, int] | None) -> int | None:
    return None if counted is None else sum(counted.values())


def _told(count: int | None) -> str:
    return NOT_MEASURED if count is None else f"{count:,}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _pair(count: Count, top: int) -> str:
    """Both bars of one count, the greater of them as long as there is room, and the difference at the end."""
    most = max([1, *((count.now[arm] or 0) + count.off[arm] for arm in ARMS)])
    parts = [text(0, top + 20, count.name)]
    for number, arm in enumerate(ARMS):
        y, now, off = float(top + 2 + number * (THICK + 4)), count.now[arm], count.off[arm]
        wide, more = BAR * (now or 0) / most, BAR * off / most
        if wide:
            parts.append(element("rect", class_=f"c-{arm}", x=float(LEFT), y=y, width=wide, height=THICK))
        if more:
            parts.append(element("rect", class_="frame", fill=hatch(ID), x=LEFT + wide, y=y, width=more, height=THICK))
        told = f"{arm} {_told(now)}" + (f" + {off:,} off" if off else "")
        parts.append(text(LEFT + wide + more + 6, y + THICK - 2, told))
    apart = "" if count.difference is None else f"{count.difference:+,}"
    return "".join([*parts, text(WIDE - 6, top + 20, apart, text_anchor="end")])
