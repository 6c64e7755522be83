"""`crossover faults` as it is typed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.commands import faults
from benchmarks.faults import matrix
from benchmarks.faults.catalogue import BY_NAME
from shared.errors import BadInput


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    faults.add(parser.add_subparsers())
    args = parser.parse_args(["faults", *arguments])
    code: int = args.run(args)
    return code


def test_json_holds_cells_modes_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--virtual", "--json", "--only", "500", "cache-full", "--seed", "11") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(cell["fault"], cell["place"]) for cell in found["cells"]] == [
        ("500", "small"), ("500", "large"), ("500", "call"), ("cache-full", "cache"),
    ]  # fmt: skip
    assert (found["seed"], found["not_there"]) == (11, {"cache-full": ["direct"]})
    assert found["outlives"]["legacy"] == ["500"]
    assert found["words"][0].startswith("Of 2,680 requests")


@pytest.mark.parametrize("form", [(), ("--markdown",)])
def test_the_table_says_where_a_part_is_not_there(form: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--virtual", "--only", "cache-full", *form) == 0
    text = capsys.readouterr().out
    assert "direct: not there" in text
    assert "legacy: cache" in text


def test_an_unknown_fault_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInput, match="'meteor' is unknown; known are timeout, hang"):
        run("--only", "meteor")


def test_what_cannot_be_virtual_is_not_passed_over_either() -> None:
    with pytest.raises(BadInput, match="leave out --virtual"):
        run("--virtual", "--only", "killed")


def test_what_belongs_to_the_properties_is_not_passed_over() -> None:
    for given in (("--arm", "legacy"), ("--from", "0")):
        with pytest.raises(BadInput, match="--arm and --from choose what --properties checks"):
            run(*given)


@pytest.mark.parametrize(
    "given", [("--only", "hang"), ("--seed", "7"), ("--seeds", "1"), ("--virtual",), ("--markdown",)]
)
def test_nor_is_what_belongs_to_the_matrix(given: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=f"{given[0]} is of the matrix, not of --properties"):
        run("--properties", "1", *given)


def test_who_ends_it_leaves_no_server_and_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "faults", "--only", "killed"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            process.kill()
            pytest.skip("this system does not tell a process's children")
        while not (servers := children.read_text().split()):
            assert process.poll() is None, "it starts a server"
            time.sleep(0.02)
        assert list(tmp_path.iterdir())
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())
    assert not any(Path(f"/proc/{server}").exists() for server in servers)


def test_the_way_of_ending_is_as_it_was_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run("--virtual", "--only", "classifier-version") == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_broken_promise_is_exit_code_1_and_names_the_cell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = matrix.played
    monkeypatch.setattr(
        matrix, "played", lambda chosen, seeds: [replace(cell, lost=1) for cell in whole([BY_NAME["hang"]], seeds)]
    )
    assert run("--virtual", "--only", "hang") == 1
    out, err = capsys.readouterr()
    assert "BROKEN: direct with hang in call (virtual): 0 wrong and 1 lost of 670, 0 wrong or lost of 30 after" in out
    assert err.startswith(
        "crossover: wrong, lost or late requests, or model calls that ran on for nobody: legacy hang in small "
        "(virtual), legacy hang in large"
    )


def test_properties_are_checked_from_a_seed_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--properties", "2", "--from", "40", "--arm", "direct") == 0
    assert capsys.readouterr().out == "2 seeds from 40 on, direct: 0 violations\n"
    assert run("--properties", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "arms": ["legacy", "direct"],
        "first": 0,
        "seeds": 1,
        "violations": [],
    }
