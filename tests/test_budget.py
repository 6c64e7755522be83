"""Money: a bound on what paid models may cost is kept, and what was answered until then is kept too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.budget import Budget
from benchmarks.compare import compare, dry_run
from benchmarks.run import BudgetReached
from benchmarks.scenario import Scenario, load
from benchmarks.workloads import workload


@pytest.fixture
def loopback() -> Iterator[int]:
    """The port of a server process that answers every call with 50 tokens in, 100 out."""
    command = [sys.executable, "-m", "benchmarks.micro.loopback"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


def paid(folder: Path, model: str) -> Scenario:
    file = folder / "paid.toml"
    file.write_text(f'[direct]\nmodel = "{model}"\nprice = "gpt-4o"\n')
    return load(file)


@pytest.mark.parametrize("max_usd", [0.02, 0.05])
def test_it_stops_before_the_bound_and_keeps_what_was_answered(
    loopback: int, max_usd: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = paid(tmp_path, f"http:http://127.0.0.1:{loopback}/v1#fast")
    assert compare(scenario, tmp_path / "out", max_usd=max_usd) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "out" / "requests.jsonl").read_text().splitlines()]
    spent = sum(row["cost_usd"] for row in rows if row["arm"] == "direct")
    per_call = (50 * 2.5 + 100 * 10) / 1e6
    assert per_call < spent <= max_usd
    assert spent == pytest.approx(per_call * sum(row["arm"] == "direct" for row in rows))
    assert "--max-usd" in report["provenance"]["stopped"]
    assert report["quality"]["requests"] < 100
    assert "Stopped early" in capsys.readouterr().out


def test_models_on_this_machine_cost_nothing(tmp_path: Path) -> None:
    budget = Budget(load(), 0.000001)
    questions = workload.load()
    budget.check(questions.request(questions.items[0]), "legacy")
    assert budget.paid == set()


def test_the_first_request_is_not_asked_either_where_it_could_cost_too_much(tmp_path: Path) -> None:
    budget = Budget(paid(tmp_path, "litellm:gpt-4o"), 0.000001)
    questions = workload.load()
    with pytest.raises(BudgetReached):
        budget.check(questions.request(questions.items[0]), "direct")


def test_of_two_paid_arms_that_run_one_after_the_other_the_first_leaves_the_second_its_half(tmp_path: Path) -> None:
    file = tmp_path / "mixed.toml"
    file.write_text(
        '[legacy]\nsmall = "litellm:a/b"\nsmall_price = "gpt-4o"\nlarge = "local:qwen-1.5b"\n'
        '[direct]\nmodel = "litellm:c/d"\nprice = "gpt-4o"\n'
    )
    budget = Budget(load(file), 0.1)
    questions = workload.load()
    request = questions.request(questions.items[0])
    budget.spent_usd = 0.0499
    with pytest.raises(BudgetReached, match=r"pass its \$0\.05 of --max-usd 0\.1"):
        budget.check(request, "legacy")
    budget.check(request, "direct")
    budget.release()  # both are done: what is left is for what comes after them
    budget.check(request, "legacy")
    budget.check_call(request, ("legacy", "large"))  # not paid
    budget.spent_usd = 0.0999
    with pytest.raises(BudgetReached, match="the next request to legacy small could cost"):
        budget.check_call(request, ("legacy", "small"))
    budget.spend_call(request, ("legacy", "small"), None)
    assert budget.spent_usd > 0.1  # a call that came to nothing may have been charged


def test_a_dry_run_of_two_logs_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = json.dumps({"id": "1", "input": "?", "output": "yes", "expected": "yes"})
    (tmp_path / "log.jsonl").write_text(line + "\n")
    log = 'kind = "log"\npath = "log.jsonl"\n'
    (tmp_path / "crossover.toml").write_text(f"[legacy]\n{log}[direct]\n{log}")
    assert dry_run(load(tmp_path / "crossover.toml")) == 0
    assert capsys.readouterr().out.endswith("\nnobody is asked\n")
