"""`crossover init` and `crossover check`: a scenario file to begin with, and what is wrong with one, asking nobody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.compare import Questions, asked_by, check_arms, check_tasks, open_arm
from benchmarks.scenario import ARMS, Arm, Scenario, default_file, key_of_place, load
from benchmarks.systems import Legacy, Log
from benchmarks.targets.builtin import artefact_file, price_of
from shared import clock
from shared.errors import BadInput

TEMPLATE: Final = Path(__file__).with_name("scenario.template.toml")
SCHEMA: Final = Path(__file__).with_name("scenario.schema.json")


def init(file: Path) -> int:
    """Write a commented scenario file that runs as it is. Raises `BadInput` where there is a file already."""
    text = TEMPLATE.read_text(encoding="utf-8")
    try:
        schema = os.path.relpath(SCHEMA, file.absolute().parent)
        with file.open("x", encoding="utf-8") as out:
            out.write(f"#:schema {Path(schema).as_posix()}\n{text}")
    except FileExistsError:
        raise BadInput(
            f"{file} is there already; name another file, or check this one with: crossover check {file}"
        ) from None
    except OSError as error:
        raise BadInput(f"{file} cannot be written ({error.strerror}); name a file that can") from None
    print(f"{file} written; it runs as it is: crossover compare {file}")
    return 0


def check(file: Path | None) -> int:
    """Check a scenario wholly and print what each arm is. Asks nobody; a python arm's module is imported.

    Raises `BadInput` for the first thing that is wrong.
    """
    file = default_file(file)
    scenario = load(file)
    questions = asked_by(scenario)
    check_arms(scenario)
    check_tasks(scenario, questions)
    for arm in ARMS:
        if scenario.arms[arm].kind == "python":
            clock.run(_started(arm, scenario, questions))
    _check_keys(scenario)
    distinct = len({asked.item.id for asked in questions.stream})
    asked = f"{len(questions.stream)} requests over {distinct} questions of {questions.workload.name}"
    print(f"{file or 'the preset'}: {asked}")
    for arm in ARMS:
        print("\n".join(_described(arm, scenario, questions)))
    return 0


def _check_keys(scenario: Scenario) -> None:
    """Raises `BadInput` where LiteLLM misses a provider's key. What else it misses has a default or another source."""
    for kind, place in scenario.places.items():
        provider, _, name = place.partition(":")
        if provider == "litellm":
            from shared.backends.litellm import library

            missing = library().validate_environment(name)["missing_keys"]
            if missing and all(each.endswith("_API_KEY") and each != "AZURE_API_KEY" for each in missing):
                raise scenario.error(
                    key_of_place(kind), f"the environment variable {' or '.join(missing)} is not set; export it"
                )


async def _started(arm: Arm, scenario: Scenario, questions: Questions) -> None:
    target = await open_arm(arm, scenario, questions, Path())
    await target.aclose()


def _described(arm: Arm, scenario: Scenario, questions: Questions) -> Sequence[str]:
    chosen = scenario.arms[arm]
    if isinstance(chosen, Log):
        return [f"{arm}: the log {chosen.path}", *(f"  {note}" for note in questions.logs[arm].notes)]
    lines = [f"{arm}: {chosen.kind}"]
    for (owner, kind), call in scenario.calls.items():
        if owner == arm:
            price = price_of(call.whom, call.price, scenario.hardware_rows.get(kind))
            cost = f"price {price.name}" if price.known else "price not known"
            lines.append(f"  {kind} asks {call.whom}, {cost}")
    if isinstance(chosen, Legacy) and chosen.small != chosen.large:
        small, large = (_model(place) for place in (chosen.small, chosen.large))
        there = artefact_file(small, large, scenario.workload_folder).is_file()
        lines.append("  classifier " + ("trained" if there else "not trained: every question goes to the large model"))
    return lines


def _model(place: str) -> str:
    """The model's name in a place: an HTTP one stands after the address, and a name may hold a colon."""
    kind, _, name = place.partition(":")
    return name.partition("#")[2] if kind == "http" else name
