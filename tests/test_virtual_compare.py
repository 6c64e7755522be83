"""A comparison in virtual time: one seed, one report; hardware, gates and what is assumed are in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from shared.errors import BadInput

SMALL = """[traffic]
limit = 120
rate = 50.0
"""


def compared(folder: Path, text: str, name: str = "out") -> tuple[int, dict[str, Any]]:
    file = folder / "mine.toml"
    file.write_text(SMALL + text)
    code = main(["compare", str(file), "--out", str(folder / name)])
    return code, json.loads((folder / name / "report.json").read_text())


def test_one_seed_gives_the_same_bytes_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    _, report = compared(tmp_path, "")
    command = [sys.executable, "-m", "benchmarks", "compare", "--out", str(tmp_path / "b"), str(tmp_path / "mine.toml")]
    folder = Path(__file__).parents[1]
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        env = {**os.environ, "PYTHONHASHSEED": "77"}
        subprocess.run(command, check=True, cwd=folder, env=env, capture_output=True)
    finally:
        busy.kill()
        busy.wait()
    for name in ("requests.jsonl", "counterfactuals.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    other = json.loads((tmp_path / "b" / "report.json").read_text())
    for each in (report, other):
        del each["provenance"]["run"]
    assert json.dumps(report) == json.dumps(other)


def test_what_it_rests_on_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = compared(
        tmp_path, '[assume.hc1]\nfirst_token_s = { value = 0.134, low = 0.001, high = 0.2, why = "as seen" }\n'
    )
    assert code == 0
    figure = report["provenance"]["hardware"]["direct.call"]["figures"]["first_token_s"]
    assert (figure["value"], figure["standing"], figure["source"]) == (0.134, "assumed", "as seen")
    assert report["latency"]["direct"]["p50"] > 0.134
    assert report["standing"]["/latency/direct"] == "emulated"
    told = " ".join(capsys.readouterr().out.split())
    assert "Stand-ins: a 0.5B for an 8B on a GPU; " in told
    note = "qwen-0.5b-burnt-3-6 (recorded) stands in for Llama 3.1 8B on hc1"
    assert note in report["provenance"]["notes"]
    assert "figures are assumed (crossover hardware show)" in told
    assert "Vendor-claimed" in told
    assert "Verdict: KEEP" in told


def test_gates_decide_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = compared(tmp_path, '[gates]\nquality = "not_worse"\n')
    assert code == 1
    assert [each["state"] for each in report["gates"]] == ["failed"]
    assert "Gate quality: failed" in capsys.readouterr().out
    code, _ = compared(tmp_path, '[gates]\ncost = "not_higher"\n')
    assert code == 2, "the price of direct is not known, and what is not known passes no gate"


def test_a_price_of_ones_own_makes_the_cost_known(tmp_path: Path) -> None:
    code, report = compared(
        tmp_path, '[direct]\nprice = { input = 10.0, output = 10.0 }\n[gates]\ncost = "not_higher"\n'
    )
    assert code == 1
    assert report["cost"]["difference_usd"]["low"] > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[direct]\nhardware = "hc2"\n', "hardware 'hc2' is unknown.*did you mean `hc1"),
        ('[direct]\nmodel = "litellm:gpt-4o"\nhardware = "hc1"\n', "takes its own time"),
        ('[assume.hc1]\ntok_s = { value = 1, low = 1, high = 1, why = "x" }\n', "tok_s is known"),
        ('[latency]\noverhead = "none.json"\n', "crossover calibrate"),
        ("[cost]\nwrong_answer_usd = { sums = 1.0 }\n", "there is no task 'sums'"),
        ("[traffic]\nrate = -1.0\n", "rate"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(text: str, told: str, tmp_path: Path) -> None:
    from benchmarks.compare import compare
    from benchmarks.scenario import load

    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        compare(load(file), tmp_path / "out")
    assert not (tmp_path / "out").exists()
