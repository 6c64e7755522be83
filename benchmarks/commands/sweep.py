"""`crossover sweep`: the map of which architecture wins where."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands, count, seed

AXES = "speedup, price, repeat_share, rate, volume, engineering_rate, wrong_answer_usd, small_price, large_price"


def add(commands: Commands) -> None:
    """The sub-command."""
    parser = commands.add_parser("sweep", help="map which architecture wins where, over two axes")
    parser.add_argument(
        "scenario", nargs="?", type=Path, metavar="SCENARIO", help="a TOML file (default: crossover.toml or the preset)"
    )
    parser.add_argument("--preset", metavar="P", help="hardwired (default) or between")
    form = f"NAME=LOW:HIGH:log or :lin, and :N for N values; NAME is one of {AXES}"
    parser.add_argument(
        "--x", default="speedup=1:100:log", metavar="AXIS", help=f"across: {form} (default: %(default)s)"
    )
    parser.add_argument("--y", default="price=0.01:1:log", metavar="AXIS", help="up, likewise (default: %(default)s)")
    parser.add_argument(
        "--requests", type=count, metavar="N", help="requests at each point (default: every question, and its repeats)"
    )
    parser.add_argument("--seed", type=seed, metavar="N", help="seed of the traffic")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="play so many points at once (default: 1)")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="processes here, or a Ray cluster")
    parser.add_argument(
        "--layer",
        choices=("verdict", "cost", "p99"),
        default="verdict",
        help="what the picture shows (default: verdict)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/sweep"),
        metavar="DIR",
        help="where points and map go (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the map as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json
    import sys

    from benchmarks import scenario, sweep
    from benchmarks.sweeping import axes, picture

    x, y = axes.parse(args.x, "--x"), axes.parse(args.y, "--y")
    chosen = scenario.load(scenario.default_file(args.scenario), preset=args.preset, seed=args.seed)
    try:
        found = sweep.sweep(
            chosen, x, y, args.out, requests=args.requests, processes=args.jobs, engine=args.engine, layer=args.layer
        )
    except sweep.Interrupted as stopped:
        print(f"crossover: interrupted; {stopped}", file=sys.stderr)
        return 130
    if args.json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1))
        return 0
    points = {(point["x"], point["y"]): point for point in found["points"]}
    print(picture.text(x, y, points, args.layer))
    print("\n".join(["", *found["notes"], "", f"map: {args.out / 'map.json'}, {args.out / 'map.svg'}"]))
    return 0
