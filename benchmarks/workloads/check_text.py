"""The report of `crossover workload check` as a person reads it; nothing that is not in the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

SHOWN: Final = 50
"""Lines of one kind that are shown; --json has all."""


def text(report: Mapping[str, Any]) -> str:
    """What a person reads: tables, the worst cases, then findings and warnings."""
    lines = [f"{report['workload']}, version {report['version']}: {report['items']:,} items"]
    if report["faulty_lines"]:
        lines[0] += ", and lines that cannot be read:"
        lines += _some([f"{each['file']} line {each['line']}: {each['fault']}" for each in report["faulty_lines"]])
    else:
        lines[0] += f" in {report['groups']:,} groups"
        lines += ["", *_task_table(report["tasks"]), "", *_fault_lines(report), "", *_likeness_lines(report)]
        lines += ["", *_model_table(report["models"])] if report["models"] else []
    lines += ["", *(f"Finding: {finding}." for finding in report["findings"] or ["none"])]
    return "\n".join(lines + [f"Warning: {warning}." for warning in report["warnings"]])


def _task_table(tasks: Mapping[str, Any]) -> list[str]:
    head = ["task", "items", "train", "validation", "test", "easy", "mid", "hard", "groups", "related", "largest label"]
    rows = [
        [
            name,
            *map(str, (task["items"], *task["splits"].values(), *task["levels"].values(), task["groups"])),
            _percent(task["related_share"], "-"),
            _percent(task["largest_label_share"], "-"),
        ]
        for name, task in tasks.items()
    ]
    return _aligned([head, *rows])


def _model_table(models: Mapping[str, Any]) -> list[str]:
    names = sorted({model for spread in models.values() for model in spread["models"]})
    rows = [
        [
            name,
            *(
                f"{_percent(asked['right'], '-')} of {asked['answered']}" if asked else "not measured"
                for asked in (spread["models"].get(model) for model in names)
            ),
            _percent(spread["floor"], "-"),
            spread["verdict"] or "not measured",
        ]
        for name, spread in models.items()
    ]
    return ["right test answers, as recorded", *_aligned([["task", *names, "floor", "models lie at"], *rows])]


def _fault_lines(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for part, what in (("references", "references that do not fit"), ("relations", "relations that do not hold")):
        lines += [f"{what}: {len(report[part])}"]
        lines += _some([f"  {each['id']}: {each['fault']}" for each in report[part]])
    lines += [f"requests under more than one id: {len(report['duplicates'])}"]
    lines += _some([f"  {', '.join(ids)}" for ids in report["duplicates"]])
    lines += [f"items that repeat an example: {len(report['examples'])}"]
    return lines + _some([f"  {item_id}" for item_id in report["examples"]])


def _likeness_lines(report: Mapping[str, Any]) -> list[str]:
    near, templates = report["near_duplicates"], report["templates"]
    family, frame, opening = templates["family"], templates["frame"], templates["opening"]
    lines = []
    for found, what in (
        (near, f"items with a near-duplicate in another group (Jaccard {near['threshold']} or more)"),
        (report["leakage"], "test items with a near-duplicate in training"),
    ):
        lines.append(f"{what}: {_counted(found)}")
        for pair in found["worst"]:
            lines += [f"  {' '.join(pair['ids'])} {pair['jaccard']:.3f}", *_shown(pair)]
    lines.append(f"items with a near-duplicate in their own group, as is meant: {near['within_groups']}")
    for found, what in (
        (templates["skeleton"], "most items with one skeleton (numbers, names, quotations masked)"),
        (family, f"largest family of near-duplicate skeletons (Jaccard {family['threshold']} or more)"),
        (frame, f"most items with one frame (only words kept that {frame['threshold']:.0%} of the items have)"),
        (templates["group"], "most items in one group"),
        (opening, f"most items with one opening of {opening['threshold']} words"),
    ):
        lines.append(f"{what}: {_counted(found)}")
        if found["ids"]:
            more = " ..." if found["items"] > len(found["ids"]) else ""
            lines += [f"  {' '.join(found['ids'])}{more}", *_shown(found)]
    return lines


def _counted(found: Mapping[str, Any]) -> str:
    bound = "" if found["bound"] is None else f" (bound {found['bound']:.0%})"
    return f"{found['items']}, {_percent(found['share'], 'none there')}{bound}"


def _shown(found: Mapping[str, Any]) -> list[str]:
    return [f"    {json.dumps(text, ensure_ascii=False)}" for text in found.get("texts", ())]


def _some(lines: list[str]) -> list[str]:
    return lines[:SHOWN] + ([f"  ... and {len(lines) - SHOWN:,} more; --json has all"] if len(lines) > SHOWN else [])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _percent(share: float | None, unknown: str) -> str:
    return unknown if share is None else f"{share:.1%}"
