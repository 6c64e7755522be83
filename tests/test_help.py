"""Every command's `--help` ends with an example, and the example runs: short, offline, by the line that is printed."""

from __future__ import annotations

import argparse
import re
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from benchmarks.cli import _parser, main
from benchmarks.commands.examples import EXAMPLES

ROOT: Final = Path(__file__).parents[1]
MOST_CPU_S: Final = 5.0
NOT_RUN: Final = {
    "serve": "it serves until it is stopped; tests/serving runs it",
    "emulate": "it serves until it is stopped; tests/serving runs it",
    "models pull": "it fetches from the network",
    "models burn": "it needs a model of 676 MB",
    "record": "it needs a model of 676 MB",
    "classifier evaluate": "six seconds of cross-validation; tests/test_training.py runs it on less",
    "cache train": "it writes the artefact that the clone ships",
    "drift": "18 seconds of traffic; tests/quality runs it on less",
    "where": "half a minute of timing; benchmarks/micro runs it",
    "calibrate": "seven seconds of timing; tests/latency runs its parts",
    "drills": "eight seconds of other processes; tests/maintenance runs it",
}
"""Examples that are parsed only, and why."""
CODES: Final = {"models verify": 2}
"""Exit codes other than 0: here no model was fetched, which it says."""
FIRST: Final = ("init", "import", "classifier train", "compare")
"""They make what the others read, in this order."""
PAIRS: Final = "a,b,same\nthe capital of France?,what is the capital of France?,1\nof France?,of Spain?,0\n"


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for each in action.choices.values():
            yield from leaves(each)


def helps() -> dict[str, str]:
    return {each.prog.partition(" ")[2]: each.format_help() for each in leaves(_parser())}


def arguments(name: str) -> list[str]:
    """What the help's example says after `crossover`."""
    line = re.search(r"^example:\n  crossover (.+)\n\Z", helps()[name], re.MULTILINE)
    assert line, f"the help of {name} ends with no example"
    return shlex.split(line[1])


def run(name: str) -> int:
    return main(arguments(name))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for the clone's, with what the examples read made by the examples that make it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "benchmarks" / "examples", folder / "benchmarks" / "examples")
    (folder / "pairs.csv").write_text(PAIRS)
    entry = (ROOT / "docs" / "hardware.md").read_text().partition("```toml\n")[2].partition("```")[0]
    (folder / "hardware.toml").write_text(entry)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name in FIRST:
            assert run(name) == 0
        assert main(["compare", "--preset", "between", "--limit", "200", "--out", "proposed"]) == 0
    return folder


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    assert list(EXAMPLES) == list(dict.fromkeys(EXAMPLES))
    assert set(helps()) == set(EXAMPLES)
    assert set(NOT_RUN) < set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_a_command(name: str) -> None:
    _parser().parse_args(arguments(name))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in {*NOT_RUN, *FIRST}])
def test_the_example_runs_in_little_time_and_offline(
    name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(workspace))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    begun = time.process_time()
    assert run(name) == CODES.get(name, 0)
    assert time.process_time() - begun < MOST_CPU_S
    assert "".join(capsys.readouterr()).strip()


def refuse(*_: object) -> None:
    raise AssertionError("an example asked the network")


def test_help_answers_at_once() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    assert "rerun" in told
