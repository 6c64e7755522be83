"""Maintenance, drills and faults in the statements that a team would quote; their own commands say all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ARMS: Final = ("legacy", "direct")


def lines(report: Mapping[str, Any]) -> list[str]:
    """One statement of what is known; none where nothing is."""
    maintenance = report["maintenance"]
    told = [*_surfaces(maintenance), *_drills(maintenance["drills"]), *_faults(report["faults"])]
    return [" ".join(told)] if told else []


def _surfaces(maintenance: Mapping[str, Any]) -> list[str]:
    """What there is to maintain besides the code that runs, where it was counted, and the packages behind it."""
    told = [f"{arm} {_surface(maintenance[arm])}" for arm in ARMS if maintenance[arm]["lines"] is not None]
    if not told:
        return []
    packages = _packages(maintenance) if maintenance["drills"] else []
    return [f"Besides code: {'; '.join(told)}.", *packages]


def _drills(document: Mapping[str, Any] | None) -> list[str]:
    """What the same changes take on either side; hours are counts times assumed rates."""
    if not document:
        return []
    of, hours = document["summary"]["all"], document["hours_ratio"]
    both = document["summary"]["both"]["legacy"]["drills"]
    return [
        f"Drills: of {of['legacy']['drills']} changes legacy takes fewer lines for {of['legacy']['fewer_lines']}, "
        f"direct for {of['direct']['fewer_lines']}; hours (assumed) {_ratio(hours['all'])} times legacy's, "
        f"{_ratio(hours['both'])} over the {both} for both."
    ]


def _faults(document: Mapping[str, Any] | None) -> list[str]:
    """How many ways to fail each side has and which side outlives more, as it was recorded."""
    if not document:
        return []
    ways, alone = ({arm: len(document[part][arm]) for arm in ARMS} for part in ("modes", "outlives"))
    return [
        f"Faults (default preset, recorded): failure modes {ways['legacy']} / {ways['direct']}; only legacy outlives "
        f"{alone['legacy']}, only direct {alone['direct']}."
    ]


def _surface(found: Mapping[str, Any]) -> str:
    parts = [
        _number(len(found[key]), what)
        for key, what in (("settings", "setting"), ("stores", "store"), ("artefacts", "trained artefact"))
        if found[key]
    ]
    if (off := found["optional"]) and off["lines"]:
        parts.append(f"{_number(off['lines'], 'line')} switched off")
    return ", ".join(parts) or "nothing"


def _packages(maintenance: Mapping[str, Any]) -> list[str]:
    counts = " / ".join(str(maintenance[arm]["third_party"]["ways"]["litellm"]["count"]) for arm in ARMS)
    known = {arm: maintenance[arm]["advisories"]["litellm"] for arm in ARMS}
    told = " / ".join(", ".join(known[arm]["open"]) or "none" for arm in ARMS)
    unread = " / ".join(str(known[arm]["not_audited"]) for arm in ARMS)
    unread = "none audited" if unread == counts else f"{unread} not audited"
    return [f"Packages (legacy / direct) {counts}, {unread}; known advisories {told}."]


def _ratio(ratio: Mapping[str, float] | None) -> str:
    return "no ratio" if ratio is None else f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
