"""What a pipeline cannot run without: modules of this clone, and distributions that were installed for it.

Modules come from the import graph (grimp), distributions from what those modules import and what each distribution
declares in turn (`Requires-Dist`, with its markers and extras). Imports for type checkers only do not count, imports
inside functions do; names handed to `importlib` as text are not seen. Sizes are what each distribution's RECORD lists,
without byte code. Release dates and advisories come from the dated snapshot (`advisories.py`).

A closure says how much others can break or withdraw, not how likely they do. Where both pipelines reach their models
through the same library, most of both closures is that library: `difference` says what is left. How many lines there
are to read is in `surface.py`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.maintenance import advisories
from benchmarks.maintenance.trees import Source, code_lines, name_in, read
from benchmarks.scenario import Arm

if TYPE_CHECKING:
    import grimp

ROOT: Final = Path(__file__).parents[2]
OURS: Final = frozenset({"legacy_pipeline", "direct_pipeline", "shared"})
SERVE: Final = "shared.serving.serve"
WAYS: Final = {"pipeline": (), "http": ("shared.backends.http",), "litellm": ("shared.backends.litellm",)}
"""The pipeline behind its own server, as `crossover serve` runs it, without any backend, and with each that reaches a
remote model."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed distribution. `size_bytes` is None where it has no RECORD; `tops` are what can be imported."""

    name: str
    version: str
    size_bytes: int | None
    tops: frozenset[str]
    requires: tuple[str, ...]


def of_pipeline(arm: Arm, off: Collection[str]) -> dict[str, Any]:
    """What one pipeline of this clone needs: `imports`, `third_party` and `advisories`, ready for JSON.

    `off` names the files of it that are switched off. `third_party.ways` has a closure for each of `WAYS`, `training`
    what making the artefacts again needs on top of `pipeline`. A closure's count and bytes are None where part of it is
    not known; which part is in `unknown`.
    """
    package = f"{arm}_pipeline"
    graph = _graph(frozenset(f"{package}.{Path(file).stem}" for file in off))
    app, train = f"{package}.app", f"{package}.train"
    own = {name for name in graph.modules if name.partition(".")[0] == package}
    modules = _upstream(graph, own | {SERVE})
    ways = {way: _named(_externals(_upstream(graph, {app, SERVE, *more}))) for way, more in WAYS.items()}
    base = ways["pipeline"]
    names = {way: _walk(start) for way, start in ways.items()}
    training = _walk({*base, *_named(_externals(_upstream(graph, {train})))} if train in graph.modules else base)
    return {
        "imports": {
            "modules": sorted(modules),
            "own": sum(name.partition(".")[0] == package for name in modules),
            "shared": sum(name.partition(".")[0] == "shared" for name in modules),
            "lines": sum(_lines(name) for name in modules),
        },
        "third_party": {
            "ways": {way: _summary(found) for way, found in names.items()},
            "training": _summary(training - names["pipeline"]),
            "distributions": _described(set().union(*names.values(), training)),
        },
        "advisories": {way: advisories.touching(found) for way, found in names.items()},
    }


def of_tree(files: Sequence[Path], root: Path) -> dict[str, Any]:
    """What any tree needs of others, in the keys of `of_pipeline`; `imports` is None: it need not be importable.

    Where `root` is the package of an installed distribution, the one way, `declared`, is what that one declares,
    without extras; else it is `imported`: what the files import, besides what lies beside `root`. Imports that lead to
    no installed distribution make the closure unknown, and are named. Raises `trees.Unreadable`.
    """
    owner = _owner(root)
    if owner is not None:
        way, start = "declared", {name for name, _ in _needed(owner.requires, "")}
    else:
        way, start = "imported", _named(_imports_of(files, root))
    names = _walk(start)
    return {
        "imports": None,
        "third_party": {
            "ways": {way: _summary(names)},
            "training": None,
            "distributions": _described(names),
        },
        "advisories": {way: advisories.touching(names)},
    }


def difference(legacy: dict[str, Any], direct: dict[str, Any]) -> dict[str, Any]:
    """For each way that both have: the distributions that one side has and the other has not, and what they share."""
    sides = legacy["third_party"]["ways"], direct["third_party"]["ways"]
    found = {}
    for way in [way for way in sides[0] if way in sides[1]]:
        left, right = (set(side[way]["names"]) for side in sides)
        found[way] = {
            "legacy_only": sorted(left - right),
            "direct_only": sorted(right - left),
            "shared": len(left & right),
            "bytes": _minus(sides[0][way]["bytes"], sides[1][way]["bytes"]),
        }
    return found


def _minus(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left - right


def _imports_of(files: Sequence[Path], root: Path) -> set[str]:
    """The names that the files import and that are neither the tree's own nor beside it."""
    own = {root.name, *(name_in(file, root).partition("/")[0].removesuffix(".py") for file in files)}
    beside = {each.name.removesuffix(".py") for each in root.resolve().parent.iterdir()} - _owners().keys()
    return set[str]().union(*(imported(read(file, file.name)) for file in files)) - own - beside


# Modules of this clone


@cache
def _whole() -> grimp.ImportGraph:
    import grimp

    return grimp.build_graph(*sorted(OURS), exclude_type_checking_imports=True, cache_dir=None)


@cache
def _graph(without: frozenset[str]) -> grimp.ImportGraph:
    """Who imports whom, without some modules."""
    graph = deepcopy(_whole())
    for name in without:
        graph.remove_module(name)
    return graph


def _upstream(graph: grimp.ImportGraph, modules: Iterable[str]) -> set[str]:
    found = set(modules)
    for name in tuple(found):
        found |= graph.find_upstream_modules(name)
    return _with_packages(found)


def _with_packages(modules: Iterable[str]) -> set[str]:
    """Importing a module runs the packages around it."""
    parts = [name.split(".") for name in modules]
    return {".".join(each[:depth]) for each in parts for depth in range(1, len(each) + 1)}


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _source(module: str) -> Source:
    return read(_file(module), module)


@cache
def _lines(module: str) -> int:
    return code_lines(_source(module))


@cache
def _tops(module: str) -> set[str]:
    return imported(_source(module))


def _externals(modules: Iterable[str]) -> set[str]:
    return set[str]().union(*map(_tops, modules)) - OURS


# What files import


def imported(source: Source) -> set[str]:
    """Top-level names that a file imports from elsewhere."""
    found = set[str]()
    for node in _imports(source.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        found |= {name.partition(".")[0] for name in names}
    return found - sys.stdlib_module_names


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.level == 0):
            yield node
        elif isinstance(node, ast.If) and _is_for_checkers(node.test):
            left += node.orelse
        elif not isinstance(node, ast.expr):
            left += ast.iter_child_nodes(node)


def _is_for_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


# Installed distributions


@cache
def installed() -> dict[str, Installed]:
    """Every distribution that this interpreter can import, by its normalised name."""
    found: dict[str, Installed] = {}
    for each in metadata.distributions():
        if (one := _read(each)) is not None:
            found.setdefault(one.name, one)
    return found


def _read(distribution: metadata.Distribution) -> Installed | None:
    """None for what is left of a distribution that was removed: it has no name any more."""
    told, record = distribution.metadata, distribution.read_text("RECORD")
    if not told or told["Name"] is None:  # the backport, where a library has loaded it, gives no metadata at all
        return None
    tops, size = set[str](), 0
    for line in (record or "").splitlines():
        path, *rest = line.rsplit(",", 2)
        length = rest[-1] if len(rest) == 2 else "?"  # path, hash, size
        if length and not length.isdecimal():
            record = None
        size += int(length) if length.isdecimal() else 0
        top, slash, _ = path.strip('"').partition("/")
        tops.add(top if slash else top.partition(".")[0])
    requires = told.get_all("Requires-Dist") or (not record and distribution.requires) or ()
    name = canonicalize_name(told["Name"])
    return Installed(name, told["Version"], size if record else None, frozenset(tops), tuple(requires))


def _owner(root: Path) -> Installed | None:
    """The distribution whose package `root` is, where one is installed beside it."""
    found = (_read(each) for each in metadata.distributions(path=[str(root.resolve().parent)]))
    return next((each for each in found if each and root.name in each.tops), None)


def _named(tops: Iterable[str]) -> set[str]:
    """The distributions that these import names lead to; a name that leads to none stands for itself."""
    owners = _owners()
    return {name for top in tops for name in owners.get(top, (top,))}


@cache
def _owners() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in installed().values():
        for top in one.tops:
            found[top] = (*found.get(top, ()), one.name)
    return found


def _needed(requires: Iterable[str], extra: str) -> set[tuple[str, str]]:
    """Names and extras, of the requirements whose markers hold here; one that cannot be read stands for itself."""
    found = set[tuple[str, str]]()
    for written in requires:
        try:
            requirement = Requirement(written)
            holds = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        except ValueError:
            found.add((written, ""))
            continue
        if holds:
            name = canonicalize_name(requirement.name)
            found |= {(name, each) for each in ("", *requirement.extras)}
    return found


@cache
def _next(name: str, extra: str) -> frozenset[tuple[str, str]]:
    return frozenset(_needed(installed()[name].requires, extra))


def _walk(names: Iterable[str]) -> set[str]:
    """These distributions and all that they require, those that are not installed among them."""
    pending, seen = {(name, "") for name in names}, set[tuple[str, str]]()
    while pending:
        name, extra = at = pending.pop()
        seen.add(at)
        if name in installed():
            pending |= _next(name, extra) - seen
    return {name for name, _ in seen}


def _summary(names: set[str]) -> dict[str, Any]:
    """Count, bytes, names and the one whose last release is oldest; None for what is not known of all."""
    there = [installed()[name] for name in names if name in installed()]
    unknown = sorted(names - {each.name for each in there})
    sizes = [each.size_bytes for each in there if each.size_bytes is not None]
    dates = sorted((date, name) for name in names if (date := advisories.released(name)) is not None)
    dated = bool(dates) and len(dates) == len(names)
    return {
        "count": None if unknown else len(there),
        "bytes": None if unknown or len(sizes) < len(there) else sum(sizes),
        "names": sorted(names),
        "unknown": unknown,
        "oldest": {"name": dates[0][1], "released": dates[0][0]} if dated else None,
    }


def _described(names: set[str]) -> dict[str, Any]:
    return {
        name: {
            "version": one.version if one else None,
            "bytes": one.size_bytes if one else None,
            "released": advisories.released(name),
        }
        for name in sorted(names)
        for one in [installed().get(name)]
    }
