"""`crossover rerun`: a run repeated from its provenance, and whether the report came out the same."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.commands import Commands

if TYPE_CHECKING:
    from benchmarks.rerun import Difference, Old

SHOWN: Final = 10
"""Differences that are printed, the first ones; --json has all."""
LETTERS: Final = 60
EXIT: Final = "exit code: 0 where the report came out the same, 1 where it differs, 2 where the run cannot be repeated."


def add(commands: Commands) -> None:
    """Add the sub-command."""
    rerun = commands.add_parser("rerun", help="repeat a run from its provenance and compare the reports", epilog=EXIT)
    rerun.add_argument("report", type=Path, metavar="REPORT", help="the report.json of a run over recordings or logs")
    rerun.add_argument("--out", type=Path, metavar="DIR", help="keep the repeated run there (default: nothing is kept)")
    rerun.add_argument("--json", action="store_true", help="print every difference as JSON")
    rerun.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json
    import sys

    from benchmarks import rerun
    from benchmarks.report.html import page
    from shared.errors import BadInput

    if args.out and args.out.resolve() == args.report.resolve().parent:
        raise BadInput(f"--out {args.out} is the run itself, which would be lost; name another directory")
    old = rerun.read(args.report)
    for change in old.changed:
        print(f"crossover: {change}", file=sys.stderr)
    found = rerun.repeat(old, args.out)
    if args.out:
        page.write(args.out)
    if args.json:
        print(json.dumps(_document(old, found), indent=1, ensure_ascii=False))
    else:
        print(_text(args.report, args.out, old, found))
    return 1 if found else 0


def _document(old: Old, found: list[Difference]) -> dict[str, Any]:
    return {
        "same": not found,
        "virtual_time": old.scenario.virtual,
        "changed": list(old.changed),
        "differences": [each._asdict() for each in found],
    }


def _text(file: Path, out: Path | None, old: Old, found: list[Difference]) -> str:
    kept = [f"the repeated run: {out}"] if out else []
    if not found:
        return "\n".join([f"{file} came out the same, outside provenance.run", *kept])
    lines = [f"{file} came out otherwise in {len(found):,} places{', the first:' if len(found) > SHOWN else ':'}"]
    lines += [f"  {each.pointer}: {' -> '.join(_cut(each))}" for each in found[:SHOWN]]
    if not old.scenario.virtual:
        lines.append(f"It ran in real time, where times differ anyway: crossover diff {file.parent} {out or 'OUT'}")
    elif not old.changed:
        lines.append("Packages, Python and workload are as they were: it is this clone's code, recordings or prices.")
    return "\n".join([*lines, *kept])


def _cut(found: Difference) -> Iterator[str]:
    """Both values, where they are long from a little before the place where they part."""
    both = found.before, found.after
    alike = next((place for place, (one, other) in enumerate(zip(*both, strict=False)) if one != other), 0)
    begin = max(0, alike - LETTERS // 3) if max(map(len, both)) > LETTERS else 0
    for text in both:
        end = begin + LETTERS
        yield f"{'...' if begin else ''}{text[begin:end]}{'...' if len(text) > end else ''}"
