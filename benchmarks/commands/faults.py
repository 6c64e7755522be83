"""`crossover faults`: every fault against both pipelines, and properties over thousands of seeds."""

from __future__ import annotations

import argparse

from benchmarks.commands import Commands, count, seed, table_form


def add(commands: Commands) -> None:
    """The sub-command."""
    parser = commands.add_parser("faults", help="break every part of both pipelines and see what becomes of requests")
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="play each cell with N seeds (default: 1)")
    parser.add_argument("--seed", type=seed, default=7, metavar="S", help="the first of them (default: 7)")
    parser.add_argument("--only", action="extend", nargs="+", default=[], metavar="NAME", help="only these faults")
    parser.add_argument(
        "--virtual",
        action="store_true",
        help="only virtual time: no sockets and no killed processes; equal on any machine",
    )
    parser.add_argument(
        "--properties", type=count, metavar="N", help="instead, check what must always hold over N seeded scenarios"
    )
    parser.add_argument("--from", type=seed, default=0, dest="first", metavar="SEED", help="the first of those seeds")
    parser.add_argument("--arm", choices=("legacy", "direct"), help="check one pipeline only (default: both)")
    table_form(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.properties:
        return _properties(args)
    import json
    import sys

    from benchmarks.faults import faults_text
    from benchmarks.faults.matrix import measure
    from shared.errors import BadInput

    if args.arm or args.first:
        raise BadInput("--arm and --from choose what --properties checks; the matrix is chosen by --only and --seed")
    found, cells = measure(seed=args.seed, seeds=args.seeds, only=args.only, virtual=args.virtual)
    print(json.dumps(found, indent=1) if args.json else faults_text.text(found, cells, markdown=args.markdown))
    broken = [f"{cell.arm} {cell.fault} in {cell.place} ({cell.played})" for cell in cells if cell.broken]
    if broken:
        print(f"crossover: wrong, lost or late requests: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _properties(args: argparse.Namespace) -> int:
    import json

    from benchmarks.faults import properties
    from benchmarks.faults.cell import ARMS

    arms = [args.arm] if args.arm else list(ARMS)
    found = [violation for arm in arms for violation in properties.run(arm, args.first, args.properties)]
    if args.json:
        told = [{"arm": each.arm, "seed": each.seed, "what": each.what} for each in found]
        print(json.dumps({"arms": arms, "first": args.first, "seeds": args.properties, "violations": told}, indent=1))
    else:
        for each in found:
            print(f"{each.arm}, seed {each.seed}: {each}")
        print(f"{args.properties:,} seeds from {args.first} on, {' and '.join(arms)}: {len(found)} violations")
    return 1 if found else 0
