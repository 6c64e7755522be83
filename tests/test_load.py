"""`crossover load`: real pipelines in virtual time, real HTTP on this machine, and everything that can go wrong."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.commands import load as command
from benchmarks.latency.driver import Reply, Samples
from benchmarks.loading import figures
from benchmarks.loading.plan import WarmUp
from shared.errors import BadInput


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["load", *map(str, arguments)])
    code: int = args.run(args)
    return code


@contextmanager
def loopback(delay_s: float = 0.0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    line = [sys.executable, "-m", "benchmarks.micro.loopback", str(delay_s)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1#loopback", process
        process.kill()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `crossover.toml` of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)


def test_two_pipelines_in_virtual_time_side_by_side_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("legacy", "--against", "direct", "--requests", 300, "--json")
    reports, samples = [], []
    for jobs in (1, 2):
        assert run(*given, "--jobs", jobs, "--out", tmp_path / str(jobs)) == 0
        reports.append(capsys.readouterr().out)
        samples.append((tmp_path / str(jobs) / "samples.jsonl").read_bytes())
        assert json.loads(reports[-1]) == json.loads((tmp_path / str(jobs) / "load.json").read_text())
    assert reports[0] == reports[1]
    assert samples[0] == samples[1]
    report, rows = json.loads(reports[0]), [json.loads(line) for line in samples[0].splitlines()]
    assert report["clock"] == "virtual"
    assert report["host"] is report["date"] is None
    assert [(row["target"], row["number"]) for row in rows] == [
        (arm, number) for arm in ("legacy", "direct") for number in range(300)
    ]
    for arm in ("legacy", "direct"):
        target, own = report["targets"][arm], [row for row in rows if row["target"] == arm]
        assert target["standing"] == "emulated"
        assert target["void"] is target["partial"] is None
        begin = 0.1 * max(row["scheduled_s"] for row in own)
        service = sorted(row["done_s"] - row["sent_s"] for row in own if row["scheduled_s"] >= begin)
        assert target["measured"] == len(service)
        assert target["service_s"]["p50"]["value"] == pytest.approx(service[math.ceil(len(service) / 2) - 1])
        assert all(row["scheduled_s"] <= row["sent_s"] <= row["first_token_s"] <= row["done_s"] for row in own)
    pair = report["differences"][0]
    assert pair["pairs"] == min(target["measured"] for target in report["targets"].values())
    assert pair["service_s"]["p50"]["of_differences"]["claim"] < 0
    assert "stands in for" in " ".join(report["targets"]["direct"]["notes"])


def test_a_rate_that_is_not_reached_says_so_and_at_which_rate_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("direct", "--rate", 2000, "--requests", 1000) == 2
    said = capsys.readouterr().out
    assert "THE RATE WAS NOT REACHED" in said
    assert "ask for less, or search with --saturate" in said


def test_the_search_finds_a_rate_that_holds_and_one_that_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("direct", "--saturate", "--requests", 400, "--json") == 0
    found = json.loads(capsys.readouterr().out)["saturation"]["direct"]
    held, broke = found["sustained_req_s"], found["saturated_req_s"]
    assert 0 < broke - held <= 0.05 * broke
    assert run("direct", "--rate", 2 * broke, "--requests", 1500, "--json") == 2
    assert not json.loads(capsys.readouterr().out)["targets"]["direct"]["reached"]


def test_more_requests_than_the_scenario_has_come_from_further_tenants(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("legacy", "--requests", 3100, "--warm-up", "0s", "--json", "--whole") == 0
    report = json.loads(capsys.readouterr().out)
    assert "3 times over" in report["notes"][0]
    assert report["targets"]["legacy"]["measured"] == 3100
    assert report["targets"]["legacy"]["first_token_s"] is report["targets"]["legacy"]["goodput"] is None


def test_a_url_beside_another_and_the_null_target(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as (fast, _), loopback(0.02) as (slow, _):
        code = run(fast, "--against", slow, "--rate", 800, "--requests", 400, "--json")
    report = json.loads(capsys.readouterr().out)
    targets = report["targets"]
    void = any(target["void"] for target in targets.values())  # a busy machine's word, and no error
    assert code == (2 if void else 0)
    assert report["clock"] == "real"
    assert report["host"]["cpus"] >= 1
    assert all(target["answered"] == target["measured"] > 300 for target in targets.values())
    assert report["null"]["answered"] > 300
    assert report["floor"]["service_s"]["p50"] > 0
    # the server never answers early, and the same requests go to both
    assert targets[slow]["service_s"]["p50"]["value"] >= 0.02
    assert targets[fast]["offered_req_s"] == pytest.approx(targets[slow]["offered_req_s"], rel=0.02)
    assert report["differences"][0]["pairs"] > 300


def test_a_trace_over_http_asks_for_its_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{at / 500},{at % 7 + 1},{at % 3 + 1}\n" for at in range(120))
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + rows)
    with loopback() as (url, _):
        run(url, "--trace", "t.csv", "--json", "--warm-up", "0%")
    report = json.loads(capsys.readouterr().out)
    assert report["requests"] == report["targets"][url]["measured"] == 120
    assert "one word for each of the trace's tokens" in report["notes"][0]


def test_a_closed_loop_has_no_rate_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("direct", "--users", 3, "--requests", 100, "--json") == 0
    target = json.loads(capsys.readouterr().out)["targets"]["direct"]
    assert target["offered_req_s"] is target["dispatch_s"] is target["reached"] is None
    assert target["most_in_flight"] == 3
    assert target["achieved_req_s"] > 0


def test_a_target_that_dies_leaves_what_it_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with loopback() as (url, process):
        threading.Timer(0.6, process.kill).start()
        assert run(url, "--rate", 400, "--requests", 4000, "--out", tmp_path) == 2
    assert "PARTIAL after" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert any(row["error"] is None for row in rows)
    assert sum("cannot be connected to" in (row["error"] or "") for row in rows) > 10
    assert json.loads((tmp_path / "load.json").read_text())["targets"][url]["partial"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://127.0.0.1:1/v1#m",), "the first request was not answered, so nothing was measured.*cannot be conn"),
        (("direkt",), "target 'direkt' is unknown"),
        (("http://127.0.0.1:1/v1",), "a URL and its model"),
        (("direct", "--against", "direct"), "both targets are direct"),
        (("direct", "--rate", "0"), "--rate 0 is no rate"),
        (("direct", "--rate", "nan"), "--rate nan is no rate"),
        (("direct", "--rate", "1:2"), "give --arrivals ramp"),
        (("direct", "--requests", "-3"), "--requests is -3"),
        (("direct", "--users", "2", "--rate", "3"), "leave out --rate or --users"),
        (("direct", "--columns", "time=a"), "give --trace too"),
        (("direct", "--trace", "none.csv"), "none.csv is missing"),
        (("direct", "--trace", "none.csv", "--users", "2"), "leave out --users"),
        (("direct", "--warm-up", "100%"), "--warm-up 100% is unknown"),
        (("direct", "--warm-up", "5"), "--warm-up 5 is unknown"),
        (("direct", "--saturate", "--users", "2"), "leave out --users"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        run(*arguments)


def test_one_key_does_not_go_to_two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_API_KEY", "secret")
    with pytest.raises(BadInput, match="would be sent to 2 different hosts"):
        run("http://127.0.0.1:1/v1#m", "--against", "http://127.0.0.1:2/v1#m")


def test_the_warm_up_and_what_ends_after_the_last_request_do_not_count() -> None:
    block = Samples()
    for number in reversed(range(11)):
        block.add(number, float(number), number + 0.25, number + 2.5, Reply(101.0 + number, 3), 100.0)
    block.errors[5] = "no"
    kept = figures.keep([block, block], WarmUp(share=0.2))
    assert kept.number.tolist() == [*range(2, 11)] * 2
    assert kept.answered.sum() == 16
    assert np.unique(kept.service_s).tolist() == [2.25]
    assert np.unique(kept.since_scheduled_s).tolist() == [2.5]
    assert np.unique(kept.dispatch_s).tolist() == [0.25]
    assert kept.seconds == 16.0
    assert kept.gaps == 16
    assert kept.finished == 14  # of each block those done after 2 s and up to 10 s, one of which failed
    empty = figures.keep([Samples()], WarmUp())
    assert len(empty.number) == empty.seconds == 0
    assert figures.latencies(empty.service_s) is None


def test_nothing_is_said_of_a_sample_that_lacks_a_time() -> None:
    assert figures.latencies(np.array([0.1, math.nan])) is None
    found: dict[str, Any] | None = figures.latencies(np.full(2000, 0.5))
    assert found is not None
    assert found["p99"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["p999"] is None
