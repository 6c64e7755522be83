"""`crossover faults`: every fault against both pipelines, and properties over thousands of seeds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from benchmarks.commands import Commands, count, seed, table_form

SEED: Final = 7


def add(commands: Commands) -> None:
    """The sub-command."""
    parser = commands.add_parser("faults", help="break every part of both pipelines and see what becomes of requests")
    parser.add_argument("--seeds", type=count, metavar="N", help="play each cell with N seeds (default: 1)")
    parser.add_argument("--seed", type=seed, metavar="S", help=f"the first of them (default: {SEED})")
    parser.add_argument("--only", action="extend", nargs="+", default=[], metavar="NAME", help="only these faults")
    parser.add_argument(
        "--virtual",
        action="store_true",
        help="only virtual time: no sockets and no killed processes; equal on any machine",
    )
    parser.add_argument(
        "--properties", type=count, metavar="N", help="instead, check what must always hold over N seeded scenarios"
    )
    parser.add_argument("--from", type=seed, dest="first", metavar="SEED", help="the first of those seeds (default: 0)")
    parser.add_argument("--arm", choices=("legacy", "direct"), help="check one pipeline only (default: both)")
    table_form(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    _check(args)
    with _ended_as_interrupted():
        return _properties(args) if args.properties else _matrix(args)


def _check(args: argparse.Namespace) -> None:
    """Raises `BadInput` for what belongs to the other half of the command."""
    from shared.errors import BadInput

    of_matrix = {"--only": args.only, "--seed": args.seed is not None, "--seeds": args.seeds, "--virtual": args.virtual}
    of_properties = {"--arm": args.arm, "--from": args.first is not None}
    if args.properties:
        if given := [name for name, value in {**of_matrix, "--markdown": args.markdown}.items() if value]:
            raise BadInput(f"{given[0]} is of the matrix, not of --properties; choose with --from and --arm instead")
    elif any(of_properties.values()):
        raise BadInput("--arm and --from choose what --properties checks; the matrix is chosen by --only and --seed")


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Whoever ends this process (SIGTERM, SIGHUP) interrupts it, so that no server and no folder stays behind."""
    import signal

    def interrupt(number: int, frame: FrameType | None) -> None:
        as_usual = signal.getsignal(signal.SIGINT)  # an event loop's own, while one runs
        if not callable(as_usual):
            raise KeyboardInterrupt
        as_usual(number, frame)

    ours = [which for which in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(which) is signal.SIG_DFL]
    for which in ours:
        signal.signal(which, interrupt)
    try:
        yield
    finally:
        for which in ours:
            signal.signal(which, signal.SIG_DFL)


def _matrix(args: argparse.Namespace) -> int:
    import json
    import sys

    from benchmarks.faults import faults_text
    from benchmarks.faults.matrix import measure

    first = SEED if args.seed is None else args.seed
    found, cells = measure(seed=first, seeds=args.seeds or 1, only=args.only, virtual=args.virtual)
    print(json.dumps(found, indent=1) if args.json else faults_text.text(found, cells, markdown=args.markdown))
    broken = [f"{cell.arm} {cell.fault} in {cell.place} ({cell.played})" for cell in cells if cell.broken]
    if broken:
        print(
            f"crossover: wrong, lost or late requests, or model calls that ran on for nobody: {', '.join(broken)}",
            file=sys.stderr,
        )
    return 1 if broken else 0


def _properties(args: argparse.Namespace) -> int:
    import json

    from benchmarks.faults import properties
    from benchmarks.faults.cell import ARMS

    arms, first = [args.arm] if args.arm else list(ARMS), args.first or 0
    found = [violation for arm in arms for violation in properties.run(arm, first, args.properties)]
    if args.json:
        told = [{"arm": each.arm, "seed": each.seed, "what": each.what} for each in found]
        print(json.dumps({"arms": arms, "first": first, "seeds": args.properties, "violations": told}, indent=1))
    else:
        for each in found:
            print(f"{each.arm}, seed {each.seed}: {each}")
        print(f"{args.properties:,} seeds from {first} on, {' and '.join(arms)}: {len(found)} violations")
    return 1 if found else 0
