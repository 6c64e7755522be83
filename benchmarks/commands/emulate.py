"""`crossover emulate`: an OpenAI-compatible server that is as fast, and as limited, as one row of the catalogue."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands, seed


def add(commands: Commands) -> None:
    """Add `emulate`."""
    emulate = commands.add_parser("emulate", help="serve answers at the pace of hardware that you do not have")
    emulate.add_argument("hardware", metavar="HARDWARE", help="an id; crossover hardware list shows them")
    emulate.add_argument(
        "--model",
        default="generated",
        metavar="M",
        help="who answers: recorded:NAME, or generated[:TOKENS] for filler text of max_tokens or TOKENS (default)",
    )
    emulate.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="FIGURE=VALUE",
        help="for an unknown figure (repeatable)",
    )
    emulate.add_argument(
        "--file", action="append", default=[], type=Path, metavar="FILE", help="hardware of your own (repeatable)"
    )
    emulate.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    emulate.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes any free one")
    emulate.add_argument(
        "--token-env", metavar="NAME", help="environment variable with the token that clients must send"
    )
    emulate.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the jitter")
    emulate.add_argument(
        "--jitter",
        type=float,
        default=0.0,
        metavar="SIGMA",
        help="of a log-normal factor on each call's time",
    )
    emulate.add_argument(
        "--self-test", action="store_true", help="check counts and timing against the server's own record, and end"
    )
    emulate.add_argument("--json", action="store_true", help="with --self-test: print the figures as JSON")
    emulate.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from benchmarks import emulate

    hardware = emulate.resolve(args.hardware, args.file, emulate.assumed(args.assume))
    if args.self_test:
        from benchmarks import golden

        return golden.self_test(hardware, as_json=args.json)
    return emulate.serve(
        hardware, args.model, args.host, args.port, seed=args.seed, jitter=args.jitter, token_env=args.token_env
    )
