"""Maintenance and faults in the lines that a team would quote; their own commands say all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.maintenance import drill_text

ARMS: Final = ("legacy", "direct")


def lines(report: Mapping[str, Any]) -> list[str]:
    """At most ten lines, none of what was not measured."""
    maintenance, faults = report["maintenance"], report["faults"]
    told = [_surface(arm, maintenance[arm]) for arm in ARMS if maintenance[arm]["lines"] is not None]
    if maintenance["drills"]:
        told += [*_packages(maintenance), *_drills(maintenance["drills"])]
    if faults:
        told += [
            f"Faults of the default preset, recorded on {faults['date']}: {faults['headline'][0]}",
            *faults["headline"][1:],
        ]
    return told


def _surface(arm: str, found: Mapping[str, Any]) -> str:
    parts = [
        _number(found["lines"], "line") + f" in {_number(found['files'], 'file')}",
        f"largest cyclomatic complexity {found['cyclomatic']['largest']}",
        *(
            _number(len(found[key]), what)
            for key, what in (("settings", "setting"), ("stores", "store"), ("artefacts", "trained artefact"))
            if found[key]
        ),
    ]
    if found["failure_modes"]:
        parts.append(_number(sum(found["failure_modes"].values()), "failure mode"))
    off, aside = found["optional"], ""
    if off and off["lines"]:
        aside = f"; switched off: {_number(off['lines'], 'line')}, {_number(len(off['settings']), 'setting')}"
    return f"To maintain of {arm}: {', '.join(parts)}{aside}."


def _packages(maintenance: Mapping[str, Any]) -> list[str]:
    ways = {arm: maintenance[arm]["third_party"]["ways"]["litellm"] for arm in ARMS}
    alone = sorted(set(ways["legacy"]["names"]) - set(ways["direct"]["names"]))
    counts = " and ".join(f"{arm} {ways[arm]['count']}" for arm in ARMS)
    known = {arm: maintenance[arm]["advisories"]["litellm"] for arm in ARMS}
    told = "; ".join(f"{arm} {', '.join(known[arm]['open']) or 'none known'}" for arm in ARMS)
    unread = " and ".join(f"{known[arm]['not_audited']} of {ways[arm]['count']}" for arm in ARMS)
    return [
        f"Packages, with litellm on both sides: {counts}; legacy alone needs {' and '.join(alone) or 'none'}. "
        f"Open advisories: {told} (snapshot of {known['legacy']['date']}; not audited, which is not clean: {unread})."
    ]


def _drills(drills: Mapping[str, Any]) -> list[str]:
    return [drill_text.sentence(drills), drill_text.hours_sentence(drills)]


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
