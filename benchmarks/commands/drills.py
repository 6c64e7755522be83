"""`crossover drills`: the same changes made in both pipelines, tested, and what each took."""

from __future__ import annotations

import argparse

from benchmarks.commands import Commands, table_form


def add(commands: Commands) -> None:
    """Add the sub-command."""
    drills = commands.add_parser(
        "drills", help="make real changes in both pipelines, test them, and count what it took"
    )
    drills.add_argument("names", nargs="*", metavar="NAME", help="a drill, like 05-forget-a-tenant (default: all)")
    table_form(drills)
    drills.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """Returns 1 where a patch does not apply, or a test passes without it or fails with it."""
    import asyncio
    import json
    import sys

    from benchmarks import table_text
    from benchmarks.maintenance import drill_play, drill_text, drills
    from benchmarks.progress import Progress

    chosen = drills.drills(args.names)
    with Progress("drills", len(chosen) * 2) as progress:
        played = asyncio.run(drill_play.play_all(chosen, progress.step))
    document = drill_play.document(chosen, played)
    if args.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        show = table_text.markdown if args.markdown else table_text.columns
        print(show(drill_text.tables(document)))
    for each in played:
        if not each.passed:
            print(f"crossover: {each.drill}, {each.arm}: {each.reason}\n{each.output}", file=sys.stderr)
    return 0 if all(each.passed for each in played) else 1
