"""`crossover load`: real pipelines in virtual time, real HTTP on this machine, and everything that can go wrong."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.commands import load as command
from benchmarks.latency.driver import Reply, Samples
from benchmarks.latency.goodput import Limits, Requests, goodput
from benchmarks.loading import figures, targets
from benchmarks.loading.plan import WarmUp
from shared.backends.http import HttpBackend
from shared.contract import Completion, Request
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


def test_of_a_short_run_no_rate_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("direct", "--rate", 100_000, "--requests", 11)
    assert run(*given, "--json") == 0
    target = json.loads(capsys.readouterr().out)["targets"]["direct"]
    assert target["measured"] > 0
    assert target["offered_req_s"] is target["achieved_req_s"] is target["reached"] is None
    assert target["goodput"]["requests_s"] is None
    assert run(*given) == 0
    said = capsys.readouterr().out
    assert "at 100,000 requests/s" in said
    assert "rates: too few requests after the warm-up to tell" in said
    assert "goodput: too few to tell; 100.0% of the requests within" in said


def test_a_run_that_ends_before_its_first_answer_reached_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("direct", "--rate", 100_000, "--requests", 60) == 2
    said = capsys.readouterr().out
    assert "THE RATE WAS NOT REACHED: the target answered 0 of " in said
    assert "goodput: 0 requests/s" in said


def test_no_more_is_answered_than_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("direct", "--arrivals", "constant", "--rate", 2, "--requests", 30, "--json") == 0
    target = json.loads(capsys.readouterr().out)["targets"]["direct"]
    assert target["goodput"]["requests_s"] == target["achieved_req_s"] == target["offered_req_s"] == pytest.approx(2.0)
    assert target["reached"]


def test_the_search_needs_requests_enough_for_a_rate() -> None:
    with pytest.raises(BadInput, match=r"leave 4 gaps .* give more --requests"):
        run("direct", "--saturate", "--requests", 5, "--warm-up", "0s")


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


@contextmanager
def emulated(model: str) -> Iterator[str]:
    line = [sys.executable, "-m", "benchmarks.cli", "emulate", "hc1", "--port", "0", "--model", model]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in process.stdout:
            if said.startswith("serving hc1 on "):
                yield f"{said.split()[-1]}#hc1"
                break
        process.kill()


def test_an_emulated_endpoint_is_not_taken_for_the_hardware(capsys: pytest.CaptureFixture[str]) -> None:
    with emulated("generated:3") as url:
        run(url, "--rate", 100, "--requests", 30, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["targets"][url]["standing"] == "emulated"
    note = " ".join(report["targets"][url]["notes"])
    assert "hc1 is emulated (16,960 tokens/s, vendor-claimed): no time was measured on the hardware" in note
    assert "filler text (generated) stands in for Llama 3.1 8B" in note
    assert report["null"]["standing"] == "measured"


def test_what_an_endpoint_says_of_itself_is_one_line_or_nothing() -> None:
    lists = [
        (json.dumps({"data": [{"id": "other"}, {"id": "m", "emulated": "a\n\x1b[31mb " * 200}]}), True),
        (json.dumps({"data": [{"id": "m", "emulated": {"a": 1}}]}), False),
        (json.dumps({"data": [{"id": "m"}]}), False),
        (json.dumps({"data": [{"id": "n", "emulated": "not this model"}]}), False),
        (json.dumps([1]), False),
        ("[" * 100_000, False),
        ("<html>", False),
    ]
    answers = iter(lists)

    async def models(_: web.Request) -> web.Response:
        return web.Response(text=next(answers)[0])

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/v1/models", models)
        async with TestServer(app) as server:
            for _, is_told in lists:
                said = await targets.emulation(str(server.make_url("/v1")), "m")
                assert (said is not None) == is_told
                assert said is None or (said.isprintable() and len(said) <= 400)
            url = str(server.make_url("/v1"))
            assert await targets.emulation(str(server.make_url("/v2")), "m") is None
        assert await targets.emulation(url, "m") is None, "nobody listens any more"

    asyncio.run(main())


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


def test_a_target_that_dies_leaves_what_it_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, calls = HttpBackend.stream, itertools.count()
    with loopback() as (url, process):

        def dies_later(backend: HttpBackend, request: Request) -> AsyncGenerator[str | Completion, None]:
            if next(calls) == 300:
                process.kill()
            return stream(backend, request)

        monkeypatch.setattr(HttpBackend, "stream", dies_later)
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


@pytest.mark.parametrize(
    ("option", "number", "least"),
    [("--seed", "-1", 0), ("--requests", "-3", 1), ("--users", "0", 1), ("--jobs", "1.5", 1)],
)
def test_a_number_that_cannot_be_is_a_usage_error(
    option: str, number: str, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("direct", option, number)
    assert f"argument {option}: {number!r} is no whole number, {least} or more" in capsys.readouterr().err


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
    assert len(kept.finished.answered) == 14  # of each block those done after 2 s and up to 10 s, one of which failed
    empty = figures.keep([Samples()], WarmUp())
    assert len(empty.number) == empty.seconds == len(empty.finished.answered) == 0
    assert empty.achieved_req_s is None
    assert figures.latencies(empty.service_s) is None


@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3), st.booleans()), min_size=1, max_size=60),
    share=st.floats(0, 0.5),
)
def test_goodput_is_a_part_of_what_was_achieved(rows: list[tuple[float, float, bool]], share: float) -> None:
    block, due = Samples(), 0.0
    for number, (gap, takes, fails) in enumerate(rows):
        due += gap
        block.add(number, due, due, due + takes, Reply(None if fails else due + takes / 2, 4), 0.0)
        if fails:
            block.errors[number] = "no"
    kept = figures.keep([block], WarmUp(share=share))
    asked = Requests(kept.first_token_s, kept.since_scheduled_s, kept.output_tokens, kept.answered)
    good = goodput(asked, kept.finished, seconds=kept.rated_s, limits=Limits(0.5, 0.3))
    assert good is not None
    assert (good.requests_s is None) == (kept.achieved_req_s is None)
    assert (good.requests_s or 0.0) <= (kept.achieved_req_s or 0.0)


def test_nothing_is_said_of_a_sample_that_lacks_a_time() -> None:
    assert figures.latencies(np.array([0.1, math.nan])) is None
    found: dict[str, Any] | None = figures.latencies(np.full(2000, 0.5))
    assert found is not None
    assert found["p99"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["p999"] is None
