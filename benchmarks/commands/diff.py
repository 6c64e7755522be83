"""`crossover diff`: what changed from one run to another, with uncertainty, and whether the change may pass."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands, table_form

EXIT = """\
exit code, by [gates] of RUN_B's scenario: 1 where direct got worse in what a gate watches (quality beyond the margin,
p99 or cost beyond the interval of the change), 2 where that could not be measured, else 0. Noise passes.
"""


def add(commands: Commands) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "diff",
        help="compare two runs with uncertainty, and exit by the gates",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path, metavar="RUN_A", help="a directory that compare wrote")
    parser.add_argument("after", type=Path, metavar="RUN_B", help="a later one, or one of what you propose")
    table_form(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import gates
    from benchmarks.report import diff, diff_gates, diff_text
    from benchmarks.report.html.run import read_run

    before, after = read_run(args.before), read_run(args.after)
    found = diff.compare(before, after)
    asked = diff_gates.asked_by(after)
    judged = diff_gates.measure(found, asked)
    if args.json:
        print(json.dumps(diff_text.document(before, after, found, judged), indent=2, allow_nan=False))
    else:
        print(diff_text.text(before, after, found, judged, as_markdown=args.markdown))
    return gates.exit_code(judged, asked)
