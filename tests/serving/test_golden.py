"""The self-test of `crossover emulate`: fails a server that is late, early or wrong, and drives a real one."""

from __future__ import annotations

import json

import pytest

from benchmarks import golden
from shared.backends.generated import filler, prompt_tokens
from shared.contract import Completion, Request, Usage
from shared.errors import BadInput
from shared.hardware.pace import pace
from tests.emulated_hardware import row
from tests.serving.test_emulate import QUICK, arguments


def seen_and_sent(late_s: float) -> tuple[list[golden.Seen], list[list[tuple[float, int]]]]:
    """A server that sends everything so late, and a client that sees it a little later."""
    asked, given = pace(row(**QUICK)), prompt_tokens(Request(golden.PROMPT))
    text, at_s = filler(golden.TOKENS), asked.seconds(given, golden.TOKENS) + late_s
    done = Completion(text, "chip", Usage(given, golden.TOKENS), seconds=at_s + 1e-4)
    pieces = [
        (asked.seconds(given, token) + late_s, token * 5) for token in (*range(1, golden.TOKENS, 3), golden.TOKENS)
    ]
    seen: list[golden.Seen] = []
    sent: list[list[tuple[float, int]]] = []
    for _ in range(golden.WARM_UP + 700):
        seen += [golden.Seen(golden.TOKENS, done, None)]
        sent += [[(at_s, len(text))]]
        seen += [golden.Seen(golden.TOKENS, done, tuple((at + 1e-4, length) for at, length in pieces))]
        sent += [list(pieces)]
    return seen, sent


def test_the_self_test_reads_a_servers_record_right() -> None:
    found = golden.figures(pace(row(**QUICK)), *seen_and_sent(5e-5))
    assert (found["failed"], found["wrong_counts"], found["sent_early"]) == ([], 0, 0)
    for part in ("whole", "first_token", "last_token"):
        assert found[part]["server"] == pytest.approx({"p50": 5e-5, "p99": 5e-5})
        assert found[part]["client"] == pytest.approx({"p50": 1.5e-4, "p99": 1.5e-4})
    assert found["tok_s"] == pytest.approx({"asked": 20_000, "sent": 20_000, "received": 20_000})


def test_the_self_test_fails_a_server_that_is_late_or_early() -> None:
    assert golden.figures(pace(row(**QUICK)), *seen_and_sent(1.1e-4))["failed"] == [
        "whole",
        "first_token",
        "last_token",
    ]
    assert golden.figures(pace(row(**QUICK)), *seen_and_sent(-1e-6))["failed"] == ["sent_early"]


@pytest.mark.parametrize("wrong", ["text", "usage", "record"])
def test_the_self_test_tolerates_no_wrong_count(wrong: str) -> None:
    seen, sent = seen_and_sent(5e-5)
    first = seen[-1].completion
    text = first.text[:-1] if wrong == "text" else first.text
    usage = Usage(first.usage.input_tokens, 99) if wrong == "usage" else first.usage
    seen[-1] = golden.Seen(golden.TOKENS, Completion(text, "chip", usage, seconds=first.seconds), seen[-1].pieces)
    if wrong == "record":
        sent[-1][-1] = (sent[-1][-1][0], 499)
    found = golden.figures(pace(row(**QUICK)), seen, sent)
    assert (found["wrong_counts"], found["failed"]) == (1, ["wrong_counts"])


def test_the_self_test_drives_a_real_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few answers only: what a busy machine makes of their timing is not this test's to judge."""
    monkeypatch.setattr(golden, "LEAST", 3)
    monkeypatch.setattr(golden, "BUDGET_S", 0.0)
    monkeypatch.setattr(golden, "WARM_UP", 2)
    monkeypatch.setattr(golden, "LIMIT_S", 1.0)
    args = arguments("hc1", "--self-test", "--json")
    assert args.run(args) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"]
    assert list(document["rows"]) == ["hc1", "below a millisecond"]
    for found in document["rows"].values():
        assert found["answers"] == 2 * (3 + 2 + len(golden.OTHER_TOKENS))
        assert (found["wrong_counts"], found["sent_early"], found["whole"]["server"]["p99"]) == (0, 0, None)
    assert "passed: the limits are" in golden.text(document)


def test_a_row_without_a_pace_is_refused() -> None:
    args = arguments("gpt-4o-mini", "--self-test")
    with pytest.raises(BadInput, match=r"gpt-4o-mini: .*tok_s unknown, so no time can be given"):
        args.run(args)
