"""What a tree's code touches and what can go wrong in it, read off its syntax: settings, environment, stores, tasks.

Every count is of call sites by name, found by the rules below and the lists in `known_calls.toml`; a name is resolved
through the file's own imports. Weakness of all of them: they are counts of names. They miss some, which are reached
through a wrapper of the tree's own, a table or a name made at run time, and count some that are none, so a short list
proves little. Nothing is imported or run.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.maintenance.trees import Source

LISTS: Final = Path(__file__).with_name("known_calls.toml")
KNOWN: Final = {name: frozenset(calls) for name, calls in tomllib.loads(LISTS.read_text()).items()}
WRITES: Final = re.compile(r"[rwaxbt+U]*[wax+][rwaxbt+U]*")
PROBING: Final = re.compile(r"(?i)\s*(PRAGMA|BEGIN|COMMIT|ROLLBACK)\b")
POOLS: Final = re.compile(r"(?i)executor|pool|background")
NO_CALL: Final = re.compile(r".*(Error|Exception|Warning|Timeout)")
SETTINGS_NAME: Final = re.compile(r".*(Settings|Config)")
BROAD: Final = frozenset({"Exception", "BaseException"})
COMPUTED: Final = "(computed)"
AGAIN: Final = "(the same again)"


class Facts:
    """All of it, of the files added so far. Calls of what the tree itself defines, `own`, are not outside calls."""

    def __init__(self, own: Collection[str]) -> None:
        self._own = own
        self._stores, self._tasks, self._outside = Counter[str](), Counter[str](), Counter[str]()
        self._raised, self._environment = Counter[str](), set[str]()
        self._handled, self._settings = _Handled(), _Settings()

    def add(self, source: Source) -> None:
        names, texts = _imports(source), _constants(source)
        probes = _probes(source, names)
        recorder = "shared.steps.Recorder" in names.values()
        for node in source.nodes:
            if isinstance(node, ast.Call):
                called = _name(node.func, names)
                self._stores.update(() if node in probes else _store(node, called))
                self._tasks.update(_task(called, recorder=recorder))
                if called.partition(".")[0] not in self._own:
                    self._outside.update(_outside(node, called, recorder=recorder))
                self._handled.call(node, called, recorder=recorder)
            elif isinstance(node, ast.Raise):
                self._raised[_raised(node)] += 1
            elif isinstance(node, ast.ExceptHandler):
                self._handled.handler(node)
            elif isinstance(node, ast.ClassDef):
                self._settings.add(node)
            self._environment |= _environment(node, names, texts)

    def result(self) -> dict[str, Any]:
        """`settings` and `environment` are names; the others map names to call sites, `handled` with counts besides."""
        return {
            "settings": self._settings.result(),
            "environment": sorted(self._environment),
            "stores": _sorted(self._stores),
            "background_tasks": _sorted(self._tasks),
            "external_calls": _sorted(self._outside),
            "raised": _sorted(self._raised),
            "handled": self._handled.result(),
        }


class _Class(NamedTuple):
    name: str
    bases: frozenset[str]
    declares: bool
    fields: tuple[str, ...]


class _Settings:
    """`Class.field` of every class that declares settings.

    Such a class is called `*Settings` or `*Config`, or derives from pydantic's `BaseSettings`, or from another such
    class in the same tree. Its fields are what it annotates in its body, or else what its `__init__` takes. Evidence:
    70 to 86 % of the misconfigurations of five systems were mistakes in settings (Yin and others 2011), and up to 54 %
    of the settings of three were hardly set by anybody (Xu and others 2015). Weakness: settings passed as arguments
    of anything else, or kept in a mapping, are not seen, and a class may be called a config and be none.
    """

    def __init__(self) -> None:
        self._classes = list[_Class]()

    def add(self, node: ast.ClassDef) -> None:
        bases = frozenset(_last(base) for base in node.bases)
        declares = "BaseSettings" in bases or SETTINGS_NAME.fullmatch(node.name) is not None
        self._classes.append(_Class(node.name, bases, declares, tuple(_fields(node)) or tuple(_taken(node))))

    def result(self) -> list[str]:
        found = {each.name for each in self._classes if each.declares}
        while more := {each.name for each in self._classes if each.name not in found and found & each.bases}:
            found |= more
        return sorted({f"{each.name}.{field}" for each in self._classes if each.name in found for field in each.fields})


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
            if not name.startswith("_") and name != "model_config" and not _is_of_class(line.annotation):
                yield name


def _is_of_class(annotation: ast.expr) -> bool:
    return any(
        (isinstance(each, ast.Name | ast.Attribute) and _last(each) == "ClassVar") or "ClassVar" in (_text(each) or "")
        for each in ast.walk(annotation)
    )


def _taken(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.FunctionDef) and line.name == "__init__":
            taken = [*line.args.posonlyargs, *line.args.args][1:] + line.args.kwonlyargs
            yield from (each.arg for each in taken)


def _imports(source: Source) -> dict[str, str]:
    """What each imported name stands for, in full; names from within the package begin with a dot."""
    names = dict[str, str]()
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                names[each.asname or first] = each.name if each.asname else first
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names.update({each.asname or each.name: f"{module}.{each.name}" for each in node.names})
    return names


def _constants(source: Source) -> dict[str, str]:
    """Names that the file gives a text to, once or more."""
    texts = dict[str, str]()
    for node in source.nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and (text := _text(node.value)) is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            texts.update({target.id: text for target in targets if isinstance(target, ast.Name)})
    return texts


def _name(node: ast.expr, names: Mapping[str, str]) -> str:
    """The dotted name of what is used. What it begins with is `?` where that was not imported."""
    parts = list[str]()
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    first = node.id if isinstance(node, ast.Name) else ""
    return ".".join([names.get(first, f"?{first}"), *reversed(parts)])


def _written(node: ast.expr) -> str:
    """A dotted name as it stands in the code."""
    return _name(node, {}).removeprefix("?")


def _last(node: ast.expr) -> str:
    return _written(node).rpartition(".")[2]


def _text(node: ast.AST | None) -> str | None:
    """The text that a node is, if it is one, so that it can be printed."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return None
    return node.value.encode(errors="backslashreplace").decode()


def _store(node: ast.Call, called: str) -> Iterable[str]:
    """The store that a call opens, if it does, or a file opened for writing, whatever for.

    A database in memory is none, nor is what `_probes` finds. Evidence: none of its own; what is kept is what can be
    wrong after a restart, and what somebody has to forget. Weakness: two calls may open the same one.
    """
    last, opens = called.rpartition(".")[2], called == "?open" or called in KNOWN["opens"]
    if called in KNOWN["stores"]:
        return [] if node.args and _text(node.args[0]) == ":memory:" else [called]
    if opens or (called.startswith("?") and last == "open"):
        mode = next((each.value for each in node.keywords if each.arg == "mode"), None)
        place = 1 if opens else 0
        text = _text(mode or (node.args[place] if len(node.args) > place else None))
        return ["file opened for writing"] if text and WRITES.fullmatch(text) else []
    return ["file opened for writing"] if last in ("write_text", "write_bytes") else []


def _probes(source: Source, names: Mapping[str, str]) -> set[ast.AST]:
    """Calls that open a database in a `with` that does nothing there but `PROBING`: it is asked how it is."""
    found = set[ast.AST]()
    for node in source.nodes:
        for item in node.items if isinstance(node, ast.With | ast.AsyncWith) else ():
            opened = [each for each in ast.walk(item.context_expr) if isinstance(each, ast.Call)]
            opened = [each for each in opened if _name(each.func, names) in KNOWN["stores"]]
            if opened and isinstance(item.optional_vars, ast.Name) and _only_probed(node, item.optional_vars.id):
                found.update(opened)
    return found


def _only_probed(block: ast.AST, name: str) -> bool:
    within = list(ast.walk(block))
    uses = sum(isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load) for each in within)
    asked = [
        _text(each.args[0])
        for each in within
        if isinstance(each, ast.Call) and each.args and _written(each.func) == f"{name}.execute"
    ]
    return 0 < uses == len(asked) and all(text and PROBING.match(text) for text in asked)


def _task(called: str, *, recorder: bool) -> Iterable[str]:
    """The kind of work that a call starts beside the request, if it does: a task, a thread, a process, a job."""
    whose, _, last = called.rpartition(".")
    if called in KNOWN["tasks"] or (called.startswith("?") and whose and last in KNOWN["task_methods"]):
        return [last]
    if last in ("submit", "add_task") and POOLS.search(whose):
        return [last]
    return ["step.later"] if recorder and called == "?step.later" else []


def _outside(node: ast.Call, called: str, *, recorder: bool) -> Iterable[str]:
    """What a call asks outside the process, if it does.

    That is a call of a listed library or method, or `step.stream(KIND, ...)` where the file uses this repo's recorder.
    Evidence: none of its own; each is a party that can fail, change or send a bill.
    """
    if recorder and called == "?step.stream":
        return [f"model: {_text(node.args[0]) or COMPUTED}"] if node.args else []
    if method := next((each for each in KNOWN["outside_methods"] if called.endswith(each)), None):
        return [f"model: {method[1:]}"]
    parts = called.split(".")
    known = any(".".join(parts[:count]) in KNOWN["outside"] for count in (1, 2, len(parts)))
    return [called] if known and not NO_CALL.fullmatch(called) else []


def _environment(node: ast.AST, names: Mapping[str, str], texts: Mapping[str, str]) -> set[str]:
    """The variables that an expression reads: `os.environ[...]`, its methods, `in`, `os.getenv`.

    A name that is not written there or in a constant of the file is `COMPUTED`. Evidence: as for `settings`. Weakness:
    a library's own variables, and those read through a wrapper, are not seen.
    """
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        key = node.slice if _name(node.value, names) == "os.environ" else None
    elif isinstance(node, ast.Call) and node.args:
        key = node.args[0] if _name(node.func, names) in KNOWN["environment"] else None
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        key = node.left if _name(node.comparators[0], names) == "os.environ" else None
    if key is None:
        return set()
    return {_text(key) or (texts.get(key.id, COMPUTED) if isinstance(key, ast.Name) else COMPUTED)}


def _raised(node: ast.Raise) -> str:
    """The type that is raised, as it is written; `AGAIN` for a bare `raise`, `COMPUTED` for a variable."""
    if node.exc is None:
        return AGAIN
    name = _written(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
    return name if name.rpartition(".")[2].lstrip("_")[:1].isupper() else COMPUTED


class _Handled:
    """Exception types caught, and how.

    Evidence: 92 % of the catastrophic failures of five distributed systems came from errors that were signalled and
    handled wrongly; in 35 % the handler was empty, caught too much or said TODO (Yuan and others 2014). `broad` catches
    `Exception` or `BaseException`, `bare` names nothing, `empty` does nothing. `contextlib.suppress` is an empty
    handler. Of this repo's recorder, `step(..., otherwise=...)` and `step.later` are broad ones, `forgive=` is one of
    the type that it names, and more `tries=` than one are one of `BackendUnavailable`.
    Weakness: whether a handler does the right thing is for a test to say (the fault matrix), not for a count.
    """

    def __init__(self) -> None:
        self.types, self.counts = Counter[str](), Counter[str]()

    def handler(self, node: ast.ExceptHandler) -> None:
        self.counts["bare"] += node.type is None
        self.counts["empty"] += all(_does_nothing(line) for line in node.body)
        types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        self._caught(_types(each for each in types if each is not None))

    def call(self, node: ast.Call, called: str, *, recorder: bool) -> None:
        if called == "contextlib.suppress":
            self.counts["empty"] += 1
            self._caught(_types(node.args))
        if not recorder or called not in ("?step", "?step.stream", "?step.later"):
            return
        caught = ["Exception"] if called == "?step.later" else []
        for each in node.keywords:
            if each.arg == "otherwise":
                caught.append("Exception")
            elif each.arg == "forgive":
                caught.append(_written(each.value) or COMPUTED)
            elif each.arg == "tries" and not (isinstance(each.value, ast.Constant) and each.value.value == 1):
                caught.append("BackendUnavailable")
        for name in caught:
            self._caught([name])

    def _caught(self, types: Collection[str]) -> None:
        """One more handler."""
        self.counts["handlers"] += 1
        self.types.update(types)
        self.counts["broad"] += bool(BROAD & set(types))

    def result(self) -> dict[str, Any]:
        counts = {name: self.counts[name] for name in ("handlers", "broad", "bare", "empty")}
        return {"types": _sorted(self.types), **counts}


def _types(nodes: Iterable[ast.expr]) -> list[str]:
    return [_written(each) or COMPUTED for each in nodes]


def _does_nothing(line: ast.stmt) -> bool:
    return isinstance(line, ast.Pass | ast.Continue) or (
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}
