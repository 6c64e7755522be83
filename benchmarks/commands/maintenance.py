"""`crossover maintenance`: what there is to maintain in two source trees, and what is known against their packages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from benchmarks.commands import Commands, table_form

USAGE: Final = """
  crossover maintenance                 this clone's two pipelines, or the sources that crossover.toml names
  crossover maintenance SCENARIO.toml   the sources that a scenario names: source = ["src/**/*.py"] under its arms
  crossover maintenance PATH_A PATH_B   any two folders of Python files, or single files
  crossover maintenance advisories      the dated snapshot of what is published against the locked packages
"""


def add(commands: Commands) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "maintenance",
        help="count what there is to maintain in two source trees",
        description="Count what there is to maintain in two source trees. Nothing in them is imported or run.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help="a scenario, two paths, or `advisories`: see below")
    table_form(parser)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--update", action="store_true", help="advisories: ask again and write the snapshot")
    action.add_argument("--check", action="store_true", help="advisories: exit 1 where one is not answered")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from shared.errors import BadInput

    if args.what == ["advisories"]:
        return _advisories(args)
    if args.update or args.check:
        raise BadInput("--update and --check are for advisories: crossover maintenance advisories --check")
    if len(args.what) > 2:
        raise BadInput(f"{len(args.what)} paths are given; give two, or one scenario file, or none")
    names, trees = _two_paths(*args.what) if len(args.what) == 2 else _scenario(args.what)
    return _show(args, names, trees)


def _advisories(args: argparse.Namespace) -> int:
    from benchmarks.maintenance import advisories
    from shared.errors import BadInput

    if args.markdown:
        raise BadInput("--markdown is for two trees; advisories have --json")
    if args.json and (args.update or args.check):
        raise BadInput("--json is for the snapshot as it is; leave it out, or leave out --update and --check")
    if args.update:
        return advisories.update()
    return advisories.check() if args.check else advisories.show(as_json=args.json)


def _two_paths(*paths: str) -> tuple[list[str], list[Any]]:
    from benchmarks.maintenance import surface
    from benchmarks.maintenance.trees import printable

    names = [printable(Path(path).resolve().name) for path in paths]
    trees = [surface.of_path(Path(path)) for path in paths]
    return names if len(set(names)) == len(names) else list(map(printable, paths)), trees


def _scenario(what: list[str]) -> tuple[list[str], list[Any]]:
    from benchmarks import scenario, upkeep
    from benchmarks.maintenance import surface
    from benchmarks.scenario import ARMS
    from shared.errors import BadInput

    file = Path(what[0]) if what else None
    if file is not None and (file.is_dir() or file.suffix == ".py"):
        raise BadInput(f"{file} is one tree; name another beside it, or a scenario file alone")
    chosen = scenario.load(scenario.default_file(file))
    matrix = upkeep.faults(chosen)  # only of two pipelines of this clone
    found = upkeep.maintenance(chosen, matrix) if matrix else surface.measure_scenario(chosen)
    return list(ARMS), [found[arm] for arm in ARMS]


def _show(args: argparse.Namespace, names: list[str], trees: list[Any]) -> int:
    import json

    from benchmarks.maintenance import closures, surface_text
    from benchmarks.scenario import ARMS

    if args.json:
        ours = tuple(names) == ARMS and None not in trees
        document = {
            "trees": [{"name": name, "surface": tree} for name, tree in zip(names, trees, strict=True)],
            "third_party_difference": closures.difference(*trees) if ours else None,
        }
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print((surface_text.markdown if args.markdown else surface_text.text)(names, trees))
    return 0
