"""A judge behind a real HTTP server, asked by the `crossover` command."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from benchmarks.cli import main
from benchmarks.labelling.pairs import read
from benchmarks.labelling.session import Session
from benchmarks.quality.judge import parse, refuse_own
from shared.contract import Identity
from shared.errors import BadInput
from tests.labelling.runs import differing, write
from tests.openai_server import OpenAIServer, whole


class Judges(OpenAIServer):
    """Models that judge: `new` prefers answers that begin so, `first` the first, `mumbles` gives no verdict."""

    async def _new(self, request: web.Request, stream: bool) -> web.StreamResponse:
        material = json.loads(self._prompt())
        return self._says("A" if material["A"].startswith("new") else "B")

    async def _first(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._says("A")

    async def _mumbles(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return web.json_response(whole("Both have their merits."))

    async def _filters(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(400, "content_filter") if "old 3" in self._prompt() else self._says("tie")

    async def _refuses(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(400, "unsupported_value")

    async def _fails_later(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._says("tie") if len(self.bodies) <= 4 else self._error(401, "invalid_api_key")

    @property
    def _gpt_4o(self) -> Any:
        return self._m

    async def _m(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._says("A")

    def _says(self, winner: str) -> web.StreamResponse:
        return web.json_response(whole(json.dumps({"reason": "because", "winner": winner})))


async def crossover(*arguments: str) -> tuple[int, str, str]:
    """The command in a thread of this process, which the server shares."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = await asyncio.to_thread(main, arguments)
    return code, out.getvalue(), err.getvalue()


def judged(directory: Path, model: str, times: int = 1) -> tuple[int, dict[str, Any], str, Judges]:
    async def run() -> tuple[int, dict[str, Any], str, Judges]:
        async with Judges() as server:
            for _ in range(times):
                code, _, err = await crossover("label", str(directory), "--judge", f"http:{server.url}#{model}")
        _, out, _ = await crossover("label", str(directory), "--status", "--json")
        return code, json.loads(out or "{}"), err, server

    return asyncio.run(run())


def test_both_orders_without_the_reference_and_resumable(tmp_path: Path) -> None:
    differing(tmp_path, 3, equal=2)
    code, told, err, server = judged(tmp_path, "new", times=2)
    assert (code, err) == (0, "")  # the second time there is nothing left to ask
    assert len(server.bodies) == 6
    orders = [json.loads(body["messages"][-1]["content"]) for body in server.bodies[:2]]
    assert (orders[0]["A"], orders[0]["B"]) == (orders[1]["B"], orders[1]["A"])
    assert "reference" not in orders[0]
    judge = told["judge"]
    assert (judge["asked"], judge["flipped"], judge["no_verdict"], judge["alone"]) == (3, 0, 0, 3 / 5)
    assert judge["corrected"] is None
    lines = [json.loads(line) for line in (tmp_path / "judgments.jsonl").read_text().splitlines()]
    assert [(line["score"], line["reason"]) for line in lines[1:]] == [(1.0, "because")] * 3
    assert [used["input_tokens"] for used in lines[1]["usage"]] == [7, 7]


def test_as_a_command_of_its_own(tmp_path: Path) -> None:
    differing(tmp_path, 2)

    async def run() -> tuple[int | None, str]:
        async with Judges() as server:
            arguments = ["label", str(tmp_path), "--judge", f"http:{server.url}#first"]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            out, _ = await process.communicate()
            return process.returncode, out.decode()

    code, out = asyncio.run(run())
    assert code == 0
    assert re.search(r"2 pairs to judge: at most 4 calls, \d,\d+ tokens in, 800 out\n", out)
    assert "2 of 2 pairs judged; --status shows the figures" in out
    assert "points" not in out
    _, out, _ = asyncio.run(crossover("label", str(tmp_path), "--status"))
    assert "flipped with the order, counted as ties: 2 of 2" in out


def test_a_verdict_that_flips_with_the_order_is_a_tie(tmp_path: Path) -> None:
    _, told, _, _ = judged(differing(tmp_path, 2), "first")
    assert (told["judge"]["flipped"], told["judge"]["alone"]) == (2, 0.0)


def test_what_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    _, told, _, _ = judged(differing(tmp_path, 2), "mumbles")
    assert (told["judge"]["no_verdict"], told["judge"]["agreement"]["labels"]["pairs"]) == (2, 0)
    assert told["judge"]["alone"] is None
    _, out, _ = asyncio.run(crossover("label", str(tmp_path), "--status"))
    assert "in both orders but where it gave no verdict, on 2" in out
    assert "judge alone: no estimate, for some pairs have no verdict" in out


def test_a_refusal_of_one_pair_is_no_verdict_and_the_others_are_judged(tmp_path: Path) -> None:
    code, told, _, _ = judged(differing(tmp_path, 6), "filters")
    assert (code, told["judge"]["asked"], told["judge"]["no_verdict"]) == (0, 6, 1)
    lines = [json.loads(line) for line in (tmp_path / "judgments.jsonl").read_text().splitlines()[1:]]
    assert [("content_filter" in line["reason"], line["refused"]) for line in lines].count((True, True)) == 1


@pytest.mark.parametrize(
    ("model", "calls", "says"), [("refuses", 5, "refused 5 pairs"), ("mumbles", 10, "on 10 pairs")]
)
def test_a_judge_that_never_judges_is_not_asked_on_and_may_be_asked_anew(
    tmp_path: Path, model: str, calls: int, says: str
) -> None:
    code, told, err, server = judged(differing(tmp_path, 12), model)
    assert (code, len(server.bodies), says in err) == (2, calls, True)
    assert told["judge"]["asked"] == 0


def test_a_bound_on_its_cost_is_kept_where_a_price_is_known_and_refused_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differing(tmp_path, 5)
    place = "http:http://127.0.0.1:9/v1#judge"
    code, _, err = asyncio.run(crossover("label", str(tmp_path), "--judge", place, "--max-usd", "1"))
    assert (code, "no price is known" in err) == (2, True)
    assert not (tmp_path / "judgments.jsonl").exists()
    code, _, err = asyncio.run(crossover("label", str(tmp_path), "--max-usd", "1"))
    assert (code, "give --judge" in err) == (2, True)

    async def run() -> None:
        async with Judges() as server:
            monkeypatch.setenv("OPENAI_API_BASE", server.url)
            monkeypatch.setenv("OPENAI_API_KEY", "k")
            bounded = ["label", str(tmp_path), "--judge", "litellm:openai/gpt-4o", "--max-usd"]
            code, _, err = await crossover(*bounded, "0.000001")
            assert (code, len(server.bodies)) == (0, 0)
            assert re.search(r"at most 10 calls, [\d,]+ tokens in, 2,000 out, \$0\.0\d+ at the list price", err)
            assert "stopped: $0.0000 spent" in err
            # a pair could cost about a cent; its two calls of 7 tokens in and 3 out do cost 0.000095 dollars
            code, _, err = await crossover(*bounded, "0.0125")
            assert (code, len(server.bodies), "stopped" in err) == (0, 10, False), err

    asyncio.run(run())


def test_what_was_judged_before_a_failure_is_kept(tmp_path: Path) -> None:
    code, _, err, _ = judged(differing(tmp_path, 5), "fails_later")
    assert code == 2
    assert "Traceback" not in err
    assert len((tmp_path / "judgments.jsonl").read_text().splitlines()) == 3
    code, out, _ = asyncio.run(crossover("label", str(tmp_path), "--status"))
    assert "asked about 2 of 5 pairs" in out
    assert "its estimate: not yet" in out


def test_labels_correct_it_and_agreement_is_stated(tmp_path: Path) -> None:
    answers = [(f"q{number}", f"old {number}", f"new {number}") for number in range(10)]
    write(tmp_path, *answers, reference="new", score=1.0)
    session = Session(read(tmp_path))
    session.begin(None)
    for count, pair in enumerate(session.run.pairs):
        new = "left" if session.shown(pair)["left"].startswith("new") else "right"
        session.say(pair.request, new if count % 2 else "same")  # type: ignore[arg-type]
    _, told, _, _ = judged(tmp_path, "new")
    judge = told["judge"]
    assert judge["agreement"]["labels"] == {"pairs": 10, "share": 0.5, "kappa": 0.0}
    assert judge["agreement"]["rules"] == {"pairs": 10, "share": 0.0, "kappa": 0.0}  # by the rule both are right
    assert (judge["alone"], told["estimate"]) == (1.0, 0.5)
    assert judge["corrected"]["estimate"] == pytest.approx(0.5)
    _, out, _ = asyncio.run(crossover("label", str(tmp_path), "--status"))
    assert "agrees with the labels: 50 % of 10 pairs, kappa 0.00" in out
    assert "corrected by the labels: +50.0 points" in out


def test_an_arm_does_not_judge_itself(tmp_path: Path) -> None:
    code, _, err, server = judged(differing(tmp_path, 2), "m")  # as the rows of the run say
    assert code == 2
    assert "cannot judge itself" in err
    assert not server.bodies
    assert not (tmp_path / "judgments.jsonl").exists()


def test_the_reports_models_do_not_judge_and_where_none_is_named_that_is_said(tmp_path: Path) -> None:
    differing(tmp_path, 2)
    file = tmp_path / "requests.jsonl"
    file.write_text(file.read_text().replace('"model": "m"', '"model": null'))
    code, _, err, _ = judged(tmp_path, "first")
    assert "whether the judge answered in this run is not known: 4 answers name no model" in err
    _, out, _ = asyncio.run(crossover("label", str(tmp_path), "--status"))
    assert "not known: 4 answers name no model" in out
    (tmp_path / "judgments.jsonl").unlink()
    identity = {"provider": "http", "model": "first", "base_url": "", "version": "", "template": "1"}
    (tmp_path / "report.json").write_text(
        json.dumps({"quality": {"margin": 0.02}, "provenance": {"models": {"direct.call": identity}}})
    )
    code, _, err, _ = judged(tmp_path, "first")
    assert (code, "cannot judge itself" in err) == (2, True)


def test_another_judge_does_not_mix_with_the_first(tmp_path: Path) -> None:
    judged(differing(tmp_path, 2), "first")
    code, _, err, _ = judged(tmp_path, "mumbles")
    assert code == 2
    assert "another judge" in err


def test_a_judge_is_known_by_its_name_and_by_its_weights() -> None:
    with pytest.raises(BadInput, match="cannot judge itself"):
        refuse_own(Identity("litellm", "openai/GPT-4o"), ["gpt-4o"], [])
    with pytest.raises(BadInput, match="has the weights"):
        refuse_own(Identity("local", "renamed", version="abc"), ["m"], ["abc"])
    refuse_own(Identity("http", "other"), ["m"], ["", "abc"])


@pytest.mark.parametrize(
    ("text", "winner"),
    [
        ('{"reason": "x", "winner": "A"}', "A"),
        ('```json\n{"winner": "b"}\n```', "B"),
        ('Thinking {"winner": "A"} no: {"reason": "{", "winner": "tie"}', "tie"),
        ('{"reason": "A gives {\\"city\\": null}, B is complete", "winner": "B"}', "B"),
        ('{"scores": {"a": 1}, "winner": "B"} {"note": {}}', "B"),
        ('{ {"winner": "A"}', "A"),
        ('{"winner": "A"} and then {"winner": "tie"}', "tie"),
        (" B. ", "B"),
        ("Tie", "tie"),
        ("A is better", None),
        ('{"winner": "C"}', None),
        ('{"winner": 1}', None),
        ("", None),
    ],
)
def test_verdicts_as_models_write_them(text: str, winner: str | None) -> None:
    found = parse(text)
    assert (found[0] if found else None) == winner


def test_bad_places_are_named(tmp_path: Path) -> None:
    differing(tmp_path, 2)
    for place, says in (("gpt", "is no model"), ("recorded:nobody", "no test recording")):
        code, _, err = asyncio.run(crossover("label", str(tmp_path), "--judge", place))
        assert (code, says in err, "Traceback" in err) == (2, True, False)
    code, _, err = asyncio.run(crossover("label", str(tmp_path), "--status", "--page"))
    assert (code, "one at a time" in err) == (2, True)
