"""How much there is to maintain in a source tree, counted: this clone's two pipelines, a scenario's, or any two.

What is counted is defined, with its evidence and its weakness, where it is counted: sizes in `trees.py`, complexity in
`complexity.py`, what the code touches in `code_facts.py`, what it needs of others in `closures.py`. There is no score
and no Maintainability Index: such sums contradict each other on systems that do the same (Sjoberg, Anda and Mockus
2012). Counts are surface, not effort: effort is measured by making changes, in `drills.py`, since what tracked effort
over 336 changes was their dispersion and the volatility of requirements (Benestad, Anda and Arisholm 2009), and neither
is in a tree. As text: `surface_text.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from benchmarks.maintenance import complexity
from benchmarks.maintenance.code_facts import Facts
from benchmarks.maintenance.complexity import Scored
from benchmarks.maintenance.trees import Unreadable, code_lines, is_test, name_in, python_files, read
from benchmarks.progress import Progress
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.systems import Direct, Legacy
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"
OPTIONAL: Final = {"semantic.py", "paraphrase.py", "wording.py", "rewrites.py", "likeness.py"}
"""The semantic cache: counted apart where it is off, so that nothing switched off weighs on the legacy side."""
LIKENESS: Final = "likeness.json"
"""The semantic cache's own artefact."""
KEYS: Final = (
    "files", "lines", "functions", "cyclomatic", "cognitive", "settings", "environment", "stores", "background_tasks",
    "external_calls", "raised", "handled", "artefacts", "failure_modes", "optional", "imports", "third_party",
    "advisories", "tests", "unreadable",
)  # fmt: skip
"""What every tree has: see `of_tree`."""
_UNKNOWN: Final = dict.fromkeys(("artefacts", "failure_modes", "optional"))
"""What cannot be read off a foreign tree."""


def measure_scenario(scenario: Scenario) -> dict[Arm, dict[str, Any] | None]:
    """Each arm of a scenario: a pipeline of this clone, the files of its `source`, or None where neither is there.

    All in the keys of `of_tree`. Of a pipeline of this clone `optional` has what is there but switched off in the
    scenario: the files of the semantic cache, the settings that are off and those that hang on them, the artefacts that
    nothing reads. The few lines and tests in other files that ask whether it is on stay in the headline. `tests` are
    those in the folder named after the arm; `tests.shared`, in `tests/contract`, run over both pipelines and are needed
    for either. Tests of what both share, and of the harness, count for neither.

    Raises `BadInput`, naming the line where a pattern matches no Python file.
    """
    found = {arm: source_files(scenario, arm) for arm in ARMS}
    return {
        name: _of_pipeline(name, scenario)
        if isinstance(arm, Legacy | Direct)
        else of_tree(found[name], _root(found[name], scenario.folder))
        if found[name]
        else None
        for name, arm in scenario.arms.items()
    }


def source_files(scenario: Scenario, arm: Arm) -> list[Path]:
    """The files that an arm's `source` matches; none where it has none. Raises `BadInput` naming the line."""
    system = scenario.arms[arm]
    if isinstance(system, Legacy | Direct):
        return []
    found = set[Path]()
    for pattern in system.source:
        matched = {file for file in scenario.folder.glob(pattern) if file.is_file() and file.suffix == ".py"}
        if not matched:
            raise scenario.error(
                (arm, "source"), f"{pattern!r} matches no Python file in {scenario.folder.resolve()}; mend the pattern"
            )
        found |= matched
    return sorted(found)


def of_path(path: Path) -> dict[str, Any]:
    """A folder, or one file. Raises `BadInput`."""
    return of_tree(python_files(path), path if path.is_dir() else path.parent)


def of_tree(files: Sequence[Path], root: Path) -> dict[str, Any]:
    """Every figure of these files, whose names are shown from `root`. What cannot be known of a foreign tree is None.

    - files, lines, functions: counts; cyclomatic, cognitive: distributions (`complexity.distribution`)
    - settings, environment: names; stores, background_tasks, external_calls, raised: names to call sites; handled
    - artefacts: files that must be trained, to the data that each depends on
    - failure_modes: how many ways to fail, by outcome; None until somebody fills in what the fault matrix found
    - imports, third_party, advisories: `closures.of_tree`
    - tests: files and lines that are tests by their names, which count nowhere else; optional: what is switched off
    - unreadable: files to the reason why they count nowhere

    Raises `BadInput` where no file can be read.
    """
    from benchmarks.maintenance import closures

    root = root.resolve()
    named = {name_in(file.resolve(), root): file.resolve() for file in files}
    code = {name: file for name, file in named.items() if not is_test(name)}
    counts, unreadable = _counts(code, {_package(root), *(name.partition("/")[0] for name in code)})
    tests, skipped = _size({name: file for name, file in named.items() if name not in code})
    kept = [file for name, file in code.items() if name not in unreadable]
    return {
        **counts,
        **_UNKNOWN,
        **closures.of_tree(kept, root),
        "tests": {**tests, "shared": None},
        "unreadable": unreadable | skipped,
    }


def _of_pipeline(arm: Arm, scenario: Scenario) -> dict[str, Any]:
    from benchmarks.maintenance import closures

    folder, settings = ROOT / f"{arm}_pipeline", getattr(scenario.arms[arm], "settings", None)
    switched_off = _off(settings) if settings else set()
    apart = OPTIONAL if "semantic" in switched_off else set()
    files = {name_in(file, folder): file for file in python_files(folder)}
    code = {name: file for name, file in files.items() if name not in apart}
    counts, _ = _counts(code, {folder.name})
    used, unused = _artefacts(folder, scenario, semantic=not apart) if arm == "legacy" else ({}, {})
    own_tests = {file.name: file for file in (TESTS / arm).glob("*.py")}
    about_optional = {name: file for name, file in own_tests.items() if name.removeprefix("test_") in apart}
    optional, _ = _size({name: file for name, file in files.items() if name not in code})
    return {
        **counts,
        "settings": [name for name in counts["settings"] if name.partition(".")[2] not in switched_off],
        "artefacts": used,
        "failure_modes": None,
        **closures.of_pipeline(arm, apart),
        "tests": {
            **_tests({name: file for name, file in own_tests.items() if name not in about_optional}),
            "shared": _tests({file.name: file for file in (TESTS / "contract").glob("*.py")}),
        },
        "optional": {
            **optional,
            "settings": [name for name in counts["settings"] if name.partition(".")[2] in switched_off],
            "artefacts": unused,
            "tests": _tests(about_optional),
        },
        "unreadable": {},
    }


def _tests(files: Mapping[str, Path]) -> dict[str, int | None]:
    """Their size, which is not known where the clone has no tests."""
    return {**_size(files)[0]} if TESTS.is_dir() else dict.fromkeys(("files", "lines"))


def _counts(files: Mapping[str, Path], own: Collection[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is counted file by file, and what could not be read and why. Raises `BadInput` where nothing could."""
    facts, lines = Facts(own), 0
    cyclomatic, cognitive, unreadable = list[Scored](), list[Scored](), dict[str, str]()
    with Progress("reading", len(files)) as progress:
        for name, file in files.items():
            progress.step()
            try:
                source = read(file, name)
                here, branches, nested = code_lines(source), complexity.cyclomatic(source), complexity.cognitive(source)
            except Unreadable as error:
                unreadable[name] = str(error)
                continue
            lines += here
            cognitive += nested
            cyclomatic += branches
            facts.add(source)
    if len(unreadable) == len(files):
        first = next((f"; {name}: {why}" for name, why in unreadable.items()), "")
        raise BadInput(f"none of {len(files)} Python files that are no tests can be read{first}")
    counts = {
        "files": len(files) - len(unreadable),
        "lines": lines,
        "functions": len(cyclomatic),
        "cyclomatic": complexity.distribution(cyclomatic),
        "cognitive": complexity.distribution(cognitive),
        **facts.result(),
    }
    return counts, unreadable


def _size(files: Mapping[str, Path]) -> tuple[dict[str, int], dict[str, str]]:
    """Files that hold code and their lines, and what could not be read and why."""
    lines, unreadable = list[int](), dict[str, str]()
    for name, file in files.items():
        try:
            lines.append(code_lines(read(file, name)))
        except Unreadable as error:
            unreadable[name] = str(error)
    return {"files": sum(count > 0 for count in lines), "lines": sum(lines)}, unreadable


def _package(root: Path) -> str:
    """The top of the package that a folder lies in, however far down, or its own name."""
    around = [parent for parent in (root, *root.parents) if (parent / "__init__.py").is_file()]
    return (around or [root])[-1].name


def _root(files: Sequence[Path], folder: Path) -> Path:
    """Where names begin: at the scenario's folder, or above it where a pattern leads out of it."""
    return Path(os.path.commonpath([folder.resolve(), *(file.resolve() for file in files)]))


def _off(settings: BaseModel) -> set[str]:
    """Settings that are None or False, and those that begin with the name of one: nothing reads them."""
    off = {name for name, value in settings if value is None or value is False}
    return {name for name in type(settings).model_fields if any(f"{name}_".startswith(f"{each}_") for each in off)}


def _artefacts(
    folder: Path, scenario: Scenario, *, semantic: bool
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The trained files that the legacy arm reads and those in `folder` that it does not, with the data of each.

    It reads the classifier of its models, where one was trained, and the semantic cache's own where that is on.
    """
    from benchmarks.targets.builtin import artefact_file

    small, large = (scenario.places[role].partition(":")[2].rpartition("#")[2] for role in ("small", "large"))
    file = artefact_file(small, large, scenario.workload_folder)
    read = {file.name: file} if file.is_file() and small != large else {}
    there = {each.name: each for each in sorted(folder.glob("artefacts/*.json"))}
    if semantic:
        read[LIKENESS] = there[LIKENESS]
    unread = {name: each for name, each in there.items() if each not in read.values()}
    return {name: _data(each) for name, each in read.items()}, {name: _data(each) for name, each in unread.items()}


def _data(file: Path) -> list[str]:
    """The data that an artefact was trained on, and must be trained on again when they change. Raises `BadInput`."""
    try:
        artefact = json.loads(contents(file, SETTINGS_BYTES))
        made = artefact["made"]
        if "pairs" in made:
            return [f"{made['pairs']} {made['sha256']}"]
        answers = [f"answers of {artefact[role]}" for role in ("small", "large")]
        return [f"workload {made['workload']} {made['workload_version']}", *answers]
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadInput(f"{file} does not say what it was made from; make it again") from None


def lines_of_code(file: Path) -> int:
    """Lines that hold code: blank lines, comments and docstrings do not count. Raises `Unreadable`."""
    return code_lines(read(file, file.name))


def knob_table(settings: type[BaseModel]) -> str:
    """The Markdown table of a settings class, as the pipelines' READMEs hold it."""
    lines = ["| knob | default | bounds | meaning |", "|---|---|---|---|"]
    for name, knob in settings.model_fields.items():
        bounds = ", ".join(str(each).replace("(", " ").replace(")", "").partition(" ")[2] for each in knob.metadata)
        default = sorted(knob.default) if isinstance(knob.default, frozenset) else knob.default
        lines.append(f"| `{name}` | {default} | {bounds or '-'} | {knob.description} |")
    return "\n".join(lines)
