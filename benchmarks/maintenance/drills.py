"""The change drills: what each asks for, and what its patches come to, counted from the files alone.

A change's files, hunks, lines and settings are counted in its patch; what an operator must do besides stands in
`drill.toml`. How far a change spreads tracks its effort (Benestad, Anda and Arisholm, 2009), lines alone do not say
how much is left to do by hand, so neither is summed with the other. The list of drills is a choice: totals over it
compare the two pipelines on these changes and on no others. Nothing is run here: whether a drill passed comes from
`drills.recorded.json`, and only for a drill whose files are still those that were run.
Next: `drills/README.md` (the list and its rules), `drill_play.py` (which runs them), `hours.py`, `drill_text.py`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal, Self, get_args

from pydantic import ValidationError, model_validator

from benchmarks.maintenance.patches import Change, DoesNotApply, read_patch
from benchmarks.scenario import ARMS, Arm
from benchmarks.systems import Strict, Text
from benchmarks.toml_source import TomlSource, nearest
from shared.errors import BadInput

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(__file__).parent / "drills"
DEPLOYMENT: Final = "benchmarks/maintenance/drills/deployment.toml"
RECORDED: Final = Path(__file__).parent / "drills.recorded.json"
TEST: Final = "test_acceptance.py"
NAME: Final = re.compile(r"\d\d-[a-z0-9-]+")

Kind = Literal["retrain", "record", "evaluate", "purge", "redeploy", "migrate"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Step(Strict):
    """What an operator must do; `run` is a `crossover` command line that does it, `artefact` what it trains again."""

    kind: Kind
    what: Text
    run: tuple[Text, ...] = ()
    artefact: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.run and self.run[0] != "crossover":
            raise ValueError('run must be a command line of this repo: ["crossover", ...]')
        if (self.kind == "retrain") != (self.artefact is not None):
            raise ValueError('artefact names what is trained again, and stands where kind = "retrain" and only there')
        return self


REDEPLOY: Final = Step(kind="redeploy", what="deploy the changed code or configuration")
"""Belongs to every change whose patch is not empty; drill.toml does not repeat it."""


class _Steps(Strict):
    steps: tuple[Step, ...] = ()


class _File(Strict):
    """A drill.toml."""

    title: Text
    favours: Literal["both", "legacy", "direct"]
    legacy: _Steps = _Steps()
    direct: _Steps = _Steps()


@dataclass(frozen=True, slots=True)
class Drill:
    """One change asked of both pipelines. `steps` hold `REDEPLOY` where the patch is not empty."""

    folder: Path
    title: str
    favours: str
    patches: Mapping[Arm, list[Change]]
    steps: Mapping[Arm, tuple[Step, ...]]

    @property
    def name(self) -> str:
        return self.folder.name

    def patch(self, arm: Arm) -> Path:
        return self.folder / f"{arm}.patch"

    def digest(self) -> str:
        """SHA-256 in hex over the patches, the test, drill.toml and what all drills share."""
        digest = hashlib.sha256()
        own = (*map(self.patch, ARMS), self.folder / TEST, self.folder / "drill.toml")
        for file in (*own, FOLDER / "conftest.py", ROOT / DEPLOYMENT, FOLDER.parent / "drill_kit.py"):
            content = file.read_bytes()
            digest.update(f"{file.name} {len(content)}\n".encode() + content)
        return digest.hexdigest()


def drills(names: Sequence[str] = (), folder: Path = FOLDER) -> list[Drill]:
    """The drills of these names, all without any, in the order of the list. Raises `BadInput`."""
    there = sorted(each.name for each in folder.iterdir() if each.is_dir() and NAME.fullmatch(each.name))
    for name in names:
        if name not in there:
            raise BadInput(f"there is no drill {name!r}{nearest(name, there)}; there are {', '.join(there)}")
    return [_read(folder / name) for name in there if not names or name in names]


def _read(folder: Path) -> Drill:
    for name in ("README.md", TEST, "drill.toml"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder / name} is missing; a drill is README.md, {TEST}, drill.toml and two patches")
    source = TomlSource(folder / "drill.toml")
    try:
        written = _File.model_validate(source.given)
    except ValidationError as error:
        raise source.invalid(error, source.given, _File) from None
    patches = {arm: read_patch(folder / f"{arm}.patch") for arm in ARMS}
    steps = {}
    for arm in ARMS:
        given: tuple[Step, ...] = getattr(written, arm).steps
        if any(step.kind == "redeploy" for step in given):
            raise source.error((arm, "steps"), "a redeploy is counted for every patch that is not empty; leave it out")
        steps[arm] = (*given, REDEPLOY) if patches[arm] else given
    drill = Drill(folder, written.title, written.favours, patches, steps)
    _check(drill)
    return drill


def _check(drill: Drill) -> None:
    """A patch changes its own pipeline, the deployment, and of `shared/` what the other patch changes as well."""
    for arm in ARMS:
        for path in (path for change in drill.patches[arm] for path in change.paths):
            own = path == DEPLOYMENT or path.startswith((f"{arm}_pipeline/", "shared/"))
            if not own or ".." in Path(path).parts:
                raise BadInput(
                    f"{drill.patch(arm)} changes {path}; it may change {arm}_pipeline/, {DEPLOYMENT} and, where both "
                    "patches do, shared/"
                )
    shared = [
        [each for each in drill.patches[arm] if any(path.startswith("shared/") for path in each.paths)] for arm in ARMS
    ]
    if shared[0] != shared[1]:
        raise BadInput(
            f"{drill.folder}: the patches change shared/ differently; write what one side alone needs in its folder"
        )


def count(names: Sequence[str] = (), folder: Path = FOLDER) -> dict[str, Any]:
    """What the changes come to: `drills` by name, `summary` by pipeline, and `played`: when and under what Python.

    A drill has per pipeline `files`, `hunks`, `lines_added`, `lines_removed`, `creates` (its new files), `settings`
    (names: added, removed and changed; None where the patch does not apply), `artefacts` (names), `steps` (kind, what,
    and whether a command is run here), `diff` (the patch's text) and `passed`, which is None where the drill has
    changed since it was last run, or where its patch does not apply any more. Raises `BadInput`.
    """
    recorded = _recorded()
    found = {
        drill.name: counted(drill, _passed(drill, recorded["drills"].get(drill.name)))
        for drill in drills(names, folder)
    }
    return {"played": recorded["played"], "drills": found, "summary": summary(found)}


def _recorded() -> dict[str, Any]:
    if not RECORDED.is_file():
        return {"played": None, "drills": {}}
    try:
        document: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    except ValueError:
        raise BadInput(f"{RECORDED} is no JSON; write it again: crossover drills --json > {RECORDED.name}") from None
    return document


def _passed(drill: Drill, recorded: Mapping[str, Any] | None) -> dict[Arm, bool | None]:
    fresh = recorded is not None and recorded["digest"] == drill.digest()
    return {
        arm: recorded[arm]["passed"] if recorded and fresh and _touched(drill.patches[arm]) is not None else None
        for arm in ARMS
    }


def counted(drill: Drill, passed: Mapping[Arm, bool | None], *, diff: bool = True) -> dict[str, Any]:
    """A drill as `count` has it; without `diff` the patches' texts are left out."""
    sides: dict[str, Any] = {}
    for arm in ARMS:
        sides[arm] = _side(drill, arm) | {"passed": passed[arm]}
        if diff:
            sides[arm]["diff"] = drill.patch(arm).read_text(encoding="utf-8")
    return {"title": drill.title, "favours": drill.favours, "digest": drill.digest(), **sides}


def _side(drill: Drill, arm: Arm) -> dict[str, Any]:
    """The figures of one patch and its steps."""
    changes, steps = drill.patches[arm], drill.steps[arm]
    return {
        "files": len(changes),
        "hunks": sum(len(change.hunks) for change in changes),
        "lines_added": sum(change.added for change in changes),
        "lines_removed": sum(change.removed for change in changes),
        "creates": [change.new for change in changes if change.old is None],
        "settings": _touched(changes),
        "artefacts": sorted({step.artefact for step in steps if step.artefact}),
        "steps": [{"kind": step.kind, "what": step.what, "run": bool(step.run)} for step in steps],
    }


def _touched(changes: Sequence[Change]) -> dict[str, list[str]] | None:
    """The settings that a patch adds, removes and changes, by name; None where it does not apply to this clone."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    try:
        for change in changes:
            before |= _settings(change.old, change.before(ROOT))
            after |= _settings(change.new, change.after(ROOT))
    except DoesNotApply:
        return None
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }


def _settings(path: str | None, text: str) -> dict[str, str]:
    """What every setting of a settings.py (annotated fields of its classes) or of the deployment is set to."""
    if path == DEPLOYMENT:
        return dict(_flat("deployment", tomllib.loads(text)))
    if path is None or Path(path).name != "settings.py":
        return {}
    package = path.partition("/")[0]
    return {
        f"{package}.{owner.name}.{field.target.id}": _set_to(field)
        for owner in ast.walk(ast.parse(text))
        if isinstance(owner, ast.ClassDef)
        for field in owner.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _set_to(field: ast.AnnAssign) -> str:
    """All of a field but its description: other words make no other setting."""
    if isinstance(field.value, ast.Call):
        field.value.keywords = [each for each in field.value.keywords if each.arg != "description"]
    return ast.dump(field)


def _flat(name: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{name}.{key}", inner)]
    return [(name, repr(value))]


def groups(found: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The counted drills: `all`, and those written for `both`; a group without any is left out."""
    both = [each for each in found.values() if each["favours"] == "both"]
    return {group: chosen for group, chosen in (("all", [*found.values()]), ("both", both)) if chosen}


def summary(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of each of the `groups` by pipeline.

    `no_change` counts drills without patch and steps, `fewer_lines` those in which this pipeline's patch has fewer
    lines than the other's; medians are over all drills of the group, `steps` are by kind, `creates` says in how many
    drills a file is made anew, `trained_here` how many artefacts are trained by a command that is run here. The rest
    are totals; what is not known of one drill is not known in all.
    """
    return {
        group: {arm: _summed([each[arm] for each in chosen], [each[_other(arm)] for each in chosen]) for arm in ARMS}
        for group, chosen in groups(found).items()
    }


def _other(arm: Arm) -> Arm:
    return "direct" if arm == "legacy" else "legacy"


def lines(counted: Mapping[str, Any]) -> int:
    """Lines that a patch adds and removes."""
    return int(counted["lines_added"] + counted["lines_removed"])


def touched(counted: Mapping[str, Any]) -> int | None:
    """How many settings a patch adds, removes or changes."""
    return None if counted["settings"] is None else sum(map(len, counted["settings"].values()))


def _summed(own: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds = Counter(step["kind"] for each in own for step in each["steps"])
    settings = [number for number in map(touched, own) if number is not None]
    return {
        "drills": len(own),
        "no_change": sum(not each["files"] and not each["steps"] for each in own),
        "fewer_lines": sum(lines(each) < lines(other) for each, other in zip(own, others, strict=True)),
        "files_median": median(each["files"] for each in own),
        "lines_median": median(map(lines, own)),
        "files": sum(each["files"] for each in own),
        "hunks": sum(each["hunks"] for each in own),
        "lines": sum(map(lines, own)),
        "settings": sum(settings) if len(settings) == len(own) else None,
        "artefacts": sum(len(each["artefacts"]) for each in own),
        "trained_here": sum(step["kind"] == "retrain" and step["run"] for each in own for step in each["steps"]),
        "steps": {kind: kinds[kind] for kind in KINDS},
        "creates": dict(sorted(Counter(path for each in own for path in each["creates"]).items())),
    }
