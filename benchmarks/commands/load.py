"""`crossover load`: latency under load, of a pipeline of this repo or of any OpenAI-compatible URL."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.commands import Commands, count, seed

if TYPE_CHECKING:
    from benchmarks.loading.plan import Plan, WarmUp

KINDS = ("poisson", "constant", "bursty", "ramp")
WARM_UP = "10%"


def add(commands: Commands) -> None:
    """Its parser."""
    parser = commands.add_parser("load", help="send requests whether or not the last are answered, and time them")
    parser.add_argument("target", metavar="TARGET", help="legacy, direct, or a URL and its model: http://host/v1#MODEL")
    parser.add_argument("--against", metavar="TARGET", help="a second target, asked the same requests")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="a TOML file (default: crossover.toml, a preset)")
    parser.add_argument("--preset", metavar="P", help="hardwired (default) or between")
    parser.add_argument("--arrivals", choices=KINDS, help="how requests arrive (default: the scenario's)")
    parser.add_argument("--rate", metavar="R", help="requests a second; A:B for a ramp from A to B; stretches a trace")
    parser.add_argument("--requests", type=count, metavar="N", help="how many (default: all; real time: 1,000)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="send when, and as long as, a trace says")
    parser.add_argument("--columns", metavar="C", help="of a trace: time=COL,input=COL,output=COL (default: Azure's)")
    parser.add_argument("--users", type=count, metavar="N", help="a closed loop: N users, each waiting for its answer")
    parser.add_argument("--seed", type=seed, metavar="N", help="seed of the arrivals (default: the scenario's)")
    parser.add_argument(
        "--warm-up", default=WARM_UP, metavar="W", help=f"left out at the start: 10%% of the time, or 5s ({WARM_UP}%)"
    )
    parser.add_argument("--whole", action="store_true", help="ask for whole answers, not for streams")
    parser.add_argument("--real", action="store_true", help="real time, also where it could be virtual")
    parser.add_argument("--saturate", action="store_true", help="search for the highest rate that is sustained")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="targets side by side, in virtual time")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write load.json and samples.jsonl there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import load
    from benchmarks.report import load_text

    plan = _plan(args)
    if args.saturate:
        report, code = load.saturate(plan, args.out)
        text = load_text.saturation
    else:
        report, code = load.load(plan, args.out, side_by_side=args.jobs)
        text = load_text.table
    print(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) if args.json else text(report))
    return code


def _plan(args: argparse.Namespace) -> Plan:
    from benchmarks import scenario as scenarios
    from benchmarks.latency import trace
    from benchmarks.loading.plan import Plan
    from benchmarks.loading.targets import arm_of
    from shared.errors import BadInput

    names = (args.target,) if args.against is None else (args.target, args.against)
    for name in names:
        arm_of(name)
    if len(set(names)) < len(names):
        raise BadInput(f"both targets are {args.target}; --against needs another one")
    if args.columns is not None and args.trace is None:
        raise BadInput("--columns names the columns of a trace; give --trace too")
    if given := [name for name in ("arrivals", "users") if args.trace is not None and getattr(args, name) is not None]:
        raise BadInput(f"--trace says when requests come; leave out --{given[0]}")
    if given := [name for name in ("arrivals", "rate") if args.users is not None and getattr(args, name) is not None]:
        raise BadInput(f"a closed loop has no arrivals of its own; leave out --{given[0]} or --users")
    scenario = scenarios.load(scenarios.default_file(args.scenario), preset=args.preset)
    traffic = scenario.traffic
    kind = args.arrivals or traffic.arrivals
    rate, ramp_to = (None if args.trace else traffic.rate), traffic.ramp_to
    if args.rate is not None:
        first, colon, last = args.rate.partition(":")
        if colon and (kind != "ramp" or args.trace):
            raise BadInput(f"--rate {args.rate} is a ramp's; give --arrivals ramp, or one rate")
        rate, ramp_to = _rate(first), _rate(last) if colon else ramp_to
    return Plan(
        names, scenario, kind, rate, ramp_to,
        seed=scenario.seed if args.seed is None else args.seed,
        warm_up=_warm_up(args.warm_up),
        requests=args.requests,
        trace=args.trace and trace.read(args.trace, args.columns and trace.columns_of(args.columns)),
        users=args.users, whole=args.whole, real=args.real,
    )  # fmt: skip


def _rate(text: str) -> float:
    from shared.errors import BadInput

    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e6:
        raise BadInput(f"--rate {text} is no rate; write requests a second, above 0 and at most 1,000,000")
    return rate


def _warm_up(text: str) -> WarmUp:
    from benchmarks.loading.plan import WarmUp
    from shared.errors import BadInput

    try:
        number = float(text[:-1])
    except ValueError:
        number = -1.0
    if text.endswith("%") and 0 <= number < 100:
        return WarmUp(share=number / 100)
    if text.endswith("s") and 0 <= number < float("inf"):
        return WarmUp(seconds=number)
    raise BadInput(f"--warm-up {text} is unknown; write a share of the time like 10%, or seconds like 5s")
