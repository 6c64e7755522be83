"""`crossover published`: the formulas keep their promises, the page is up to date."""

from __future__ import annotations

import itertools
import json
import math
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.commands import published
from benchmarks.published import assumptions as given_by
from benchmarks.published.case import decide
from benchmarks.published.counts import SHIPPED, Counts
from benchmarks.published.measure import hardness, measure
from benchmarks.published.model import (
    MARGIN,
    Difference,
    difference,
    majority,
    oracle_apgr,
    rounded,
    routed,
    votes_for,
    weight_for,
    within_margin,
)
from benchmarks.published.reach import on_hardware
from benchmarks.published.text import tables
from benchmarks.quality.tango import score
from benchmarks.table_text import markdown
from shared.errors import BadInput
from shared.hardware.catalogue import find
from tests.test_published_counts import GOOD, file

ROOT = Path(__file__).parents[1]

whole = st.integers(0, 200)
counted = st.builds(Counts, whole, whole, whole, whole).filter(lambda each: each.n >= 2)
better = counted.filter(lambda each: each.large_only > each.small_only)
shares = st.floats(0, 1)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return measure()


def the(document: dict[str, Any], group: str, large: str) -> dict[str, Any]:
    (found,) = (each for each in document["groups"] if each["group"] == group and large in each["large"])
    assert isinstance(found, dict)
    return found


# --- the cascade ---


@given(better, st.integers(1, 60))
def test_the_oracles_apgr_is_the_area_under_its_curve(counts: Counts, steps: int) -> None:
    apgr = oracle_apgr(counts)
    assert apgr is not None
    turns = sorted({*(step / steps for step in range(steps + 1)), counts.large_only / counts.n,
                    1 - counts.small_only / counts.n})  # fmt: skip
    area = 0.0
    for before, after in itertools.pairwise(turns):
        heights = [routed(counts, 1.0, share).quality - counts.small for share in (before, after)]
        area += (after - before) * sum(heights) / 2
    assert area == pytest.approx(apgr * (counts.large - counts.small), abs=1e-9)


@given(better, st.floats(0.5, 0.9))
def test_the_mixed_curve_has_the_apgr_that_was_asked_for(counts: Counts, apgr: float) -> None:
    best = oracle_apgr(counts)
    assert best is not None
    assume(best > apgr)
    weight = weight_for(counts, apgr)
    assert weight is not None
    assert (1 - weight) * 0.5 + weight * best == pytest.approx(apgr)


def test_without_a_better_large_model_there_is_no_apgr() -> None:
    assert oracle_apgr(Counts(1, 5, 5, 1)) is None
    assert weight_for(Counts(1, 5, 5, 1), 0.6) is None


@given(counted, shares)
def test_the_cascade_ends_at_either_model(counts: Counts, weight: float) -> None:
    assert routed(counts, weight, 0.0).quality == pytest.approx(counts.small)
    assert routed(counts, weight, 1.0).quality == pytest.approx(counts.large)


@given(counted, shares)
def test_the_cheapest_cascade_within_the_margin_is_that_and_no_dearer(counts: Counts, weight: float) -> None:
    target, found = counts.large - MARGIN, within_margin(counts, weight)
    assert found.quality >= target - 1e-9
    if found.share > 1e-6:
        assert routed(counts, weight, found.share * 0.99).quality < target + 1e-9


@given(better)
def test_more_skill_needs_no_more_large_calls(counts: Counts) -> None:
    none, some, oracle = (within_margin(counts, weight).share for weight in (0.0, 0.5, 1.0))
    assert none + 1e-9 >= some >= oracle - 1e-9


@settings(deadline=None)  # the first call loads scipy
@given(counted, shares, shares, st.floats(0.5, 1))
def test_direct_less_the_cascade_is_the_difference_of_their_qualities(
    counts: Counts, weight: float, share: float, retained: float
) -> None:
    cascade = routed(counts, weight, share)
    gap = cascade.direct_less_this(counts, retained)
    assert gap.estimate == pytest.approx(counts.small * retained - cascade.quality, abs=1e-9)
    assert gap.low <= gap.estimate + 1e-9
    assert gap.estimate <= gap.high + 1e-9


@given(counted, shares)
def test_rounding_moves_answers_and_makes_none(counts: Counts, retained: float) -> None:
    left = rounded(counts, retained)
    assert left.n == pytest.approx(counts.n)
    assert left.large == pytest.approx(counts.large)
    assert left.small == pytest.approx(counts.small * retained)


# --- votes ---


def test_three_votes_of_equally_hard_questions_are_the_binomial() -> None:
    assert majority(0.6, 3, math.inf) == pytest.approx(0.6**3 + 3 * 0.6**2 * 0.4)
    assert majority(0.6, 2, math.inf) == pytest.approx(0.6)  # a tie counts half


@settings(deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 31), st.sampled_from([0.5, 5.0, 60.0, math.inf]))
def test_a_vote_is_a_share_and_symmetric(share: float, votes: int, k: float) -> None:
    voted = majority(share, votes, k)
    assert 0 <= voted <= 1
    assert majority(1 - share, votes, k) == pytest.approx(1 - voted, abs=1e-6)


def test_the_study_is_met_by_the_concentration_that_was_fitted_to_it() -> None:
    one, voted, votes = given_by.SELF_CONSISTENCY
    assert majority(one, votes, hardness()["spread"]) == pytest.approx(voted)


def test_the_demos_votes_lie_within_what_equally_hard_questions_give() -> None:
    one, voted, (few, many) = given_by.DEMO
    assert majority(one, few, math.inf) < voted < majority(one, many, math.inf)


@settings(deadline=None)
@given(st.floats(0.1, 0.95), st.floats(0.1, 0.99), st.sampled_from([5.0, math.inf]))
def test_the_least_number_of_votes_is_least_and_enough(share: float, target: float, k: float) -> None:
    votes = votes_for(share, target, k)
    if votes is None:
        assert majority(share, 31, k) < target
    elif votes > 1:
        assert majority(share, votes, k) >= target
        assert majority(share, votes - 2, k) < target
    else:
        assert share >= target


# --- verdicts ---


def gap(word: str, *, not_worse: bool) -> Difference:
    return Difference(0.0, 0.0, 0.0, word, not_worse)  # type: ignore[arg-type]


FINE = gap("equivalent", not_worse=True)


@pytest.mark.parametrize(
    ("quality", "usd", "seconds", "word", "reason"),
    [
        (gap("worse", not_worse=False), (0.1, 1.0), (0.1, 1.0), "keep", "quality"),
        (gap("inconclusive", not_worse=False), (0.1, 1.0), (0.1, 1.0), "undecided", "quality"),
        (FINE, (None, 1.0), (0.1, 1.0), "undecided", "cost not known"),
        (FINE, (0.1, None), (0.1, 1.0), "undecided", "cost not known"),
        (FINE, (1.1, 1.0), (0.1, 1.0), "keep", "cost"),
        (FINE, (1.0, 1.0), (None, 1.0), "undecided", "latency not known"),
        (FINE, (1.0, 1.0), (1.1, 1.0), "keep", "latency"),
        (FINE, (1.0, 1.0), (1.0, 1.0), "migrate", "not worse, not dearer, not slower"),
    ],
)
def test_the_rule_is_quality_then_cost_then_latency(
    quality: Difference, usd: tuple[float, float], seconds: tuple[float, float], word: str, reason: str
) -> None:
    verdict = decide(quality, usd, seconds)
    assert (verdict.word, verdict.reason) == (word, reason)


# --- the document ---


def test_the_8b_is_worse_than_the_70b_everywhere(document: dict[str, Any]) -> None:
    words = {each["direct_less_large"]["published"]["word"] for each in document["groups"] if "70B" in each["large"]}
    assert words == {"worse"}


def test_one_group_by_hand(document: dict[str, Any]) -> None:
    (group,) = (each for each in document["groups"] if "GSM8K" in each["benchmark"] and "70B" in each["large"])
    assert group["direct_less_large"]["published"]["estimate"] == pytest.approx((26 - 161) / 1319)
    lots = group["cascade"]["none"]
    share = 1 - MARGIN / ((161 - 26) / 1319)
    assert lots["large_share"]["value"] == pytest.approx(share)
    small, large = (160 * 0.02 + 220 * 0.04) / 1e6, (160 * 0.10 + 220 * 0.32) / 1e6
    per_decision = ((1 - share) * small + share * large) / ((1081 + 161) / 1319 - MARGIN)
    assert lots["by_hit_rate"]["0"]["usd_per_decision"] == pytest.approx(per_decision)
    assert lots["by_hit_rate"]["0.31"]["usd_per_decision"] == pytest.approx(0.69 * per_decision)
    price = group["direct"]["hc1"]["published"]["break_even_usd_per_mtok"]["none"]["0"]
    assert price["value"] * 380 / 1e6 / ((1081 + 26) / 1319) == pytest.approx(per_decision)
    assert price["low"] < price["value"] < price["high"]


def test_a_break_even_price_is_where_the_verdict_turns(document: dict[str, Any], tmp_path: Path) -> None:
    group = the(document, "natural_qa", "51B")
    price = group["direct"]["hc1"]["published"]["break_even_usd_per_mtok"]["measured"]["0.31"]["value"]
    words = {}
    for name, factor in (("below", 0.99), ("above", 1.01)):
        own = tmp_path / f"{name}.toml"
        own.write_text(priced("mine", "Llama 3.1 8B", price * factor))
        direct = measure(large="51B", hardware=["mine"], files=[own])
        words[name] = the(direct, "natural_qa", "51B")["direct"]["mine"]["published"]["verdict"]["word"]
    assert words == {"below": "migrate", "above": "keep"}


def priced(id_: str, model: str, usd_per_mtok: float, tok_s: float = 16_960.0) -> str:
    """An entry of one's own, with a list price and a pace; what else there is to know nobody knows."""
    known = {"first_token_s": 0.001, "prompt_token_s": 1e-6, "tok_s": tok_s,
             "input_usd_per_mtok": usd_per_mtok, "output_usd_per_mtok": usd_per_mtok}  # fmt: skip
    lines = [f'[{id_}]\nname = "own"\nmodel = "{model}"\nweights = "4 bit"\nbeyond_context = "refuse"']
    for figure in find("hc1").figures:
        if figure in known:
            lines.append(
                f'{figure} = {{ value = {known[figure]!r}, standing = "list price", source = "me", date = "2026-11" }}'
            )
        else:
            lines.append(f'{figure} = "unknown"')
    return "\n".join(lines) + "\n"


def test_a_hard_wired_70b_of_ones_own_flips_the_verdict_where_the_table_says(
    document: dict[str, Any], tmp_path: Path
) -> None:
    wanted = the(document, "law", "70B")["large_on_silicon"]
    own = tmp_path / "hc2.toml"
    price = wanted["usd_per_mtok_below"]["0.31"]["value"]
    own.write_text(priced("cheap", "Llama 3.1 70B", price * 0.99) + priced("dear", "Llama 3.1 70B", price * 1.01)
                   + priced("slow", "Llama 3.1 70B", price * 0.99, tok_s=40.0))  # fmt: skip
    rows = the(measure(large="70B", files=[own]), "law", "70B")["large_on_silicon"]["rows"]
    words = {id_: (rows[id_]["verdict"]["word"], rows[id_]["verdict"]["reason"]) for id_ in ("cheap", "dear", "slow")}
    assert words["cheap"][0] == "migrate"
    assert words["dear"] == ("keep", "cost")
    assert words["slow"] == ("keep", "latency")
    assert 40 < wanted["tok_s_at_least"]["p99_s"]["value"] < 60


def test_an_unknown_price_stays_unknown_beside_the_claimed_one(document: dict[str, Any]) -> None:
    direct = the(document, "natural_qa", "51B")["direct"]["hc1"]
    assert direct["price_standing"] == "unknown"
    assert direct["published"]["usd_per_decision"] is None
    assert direct["published"]["verdict"] == {"word": "undecided", "reason": "cost not known"}
    claimed = on_hardware(find("hc1")).claimed
    assert claimed is not None
    assert (claimed.input_usd, claimed.output_usd, claimed.standing) == (0.001, 0.002, "vendor-claimed")


def test_models_that_nobody_serves_have_quality_and_no_cost(tmp_path: Path) -> None:
    own = file(tmp_path, GOOD.replace("70B Instruct", "999B"))
    (group,) = measure(outcomes=own)["groups"]
    assert group["direct_less_large"]["published"]["word"] == "worse"
    assert group["cascade"]["measured"]["by_hit_rate"]["0"] == {
        "usd_per_decision": None, "mean_s": None, "p50_s": None, "p99_s": None
    }  # fmt: skip
    assert group["large_on_silicon"]["usd_per_mtok_below"]["0"]["value"] is None


def test_a_row_that_serves_another_model_is_refused() -> None:
    with pytest.raises(BadInput, match=r"cerebras-70b serves Llama 3\.3 70B, not Llama 3\.1 8B Instruct"):
        measure(hardware=["cerebras-70b"])
    with pytest.raises(BadInput, match="hardware 'hc9' is unknown"):
        measure(hardware=["hc9"])


def test_a_group_without_any_right_answer_has_no_cost_per_decision(tmp_path: Path) -> None:
    own = file(tmp_path, GOOD.replace(",100,50,5,30,15,", ",100,0,0,0,100,"))
    (group,) = measure(outcomes=own)["groups"]
    assert group["cascade"]["none"]["by_hit_rate"]["0"]["usd_per_decision"] is None
    json.dumps(group, allow_nan=False)


def test_the_assumed_skill_is_what_the_classifiers_page_says() -> None:
    page = (ROOT / "docs" / "classifier.md").read_text()
    found = re.findall(r"^    classifier +(\d\.\d+) \[(\d\.\d+), (\d\.\d+)\]", page, re.MULTILINE)
    skills = [(each.value, each.low, each.high) for each in (given_by.SKILL, given_by.SKILL_GSM8K)]
    assert [tuple(map(float, each)) for each in found] == skills


ASSUMED = [
    *(way for tokens in (*given_by.TOKENS.values(), given_by.OTHER) for way in (tokens.input, tokens.output)),
    *(given_by.RETAINED, given_by.RETAINED_GSM8K, given_by.SKILL, given_by.SKILL_GSM8K),
]


@pytest.mark.parametrize("each", ASSUMED)
def test_every_assumption_has_a_range_that_holds_it_and_a_reason(each: given_by.Assumed) -> None:
    assert each.low <= each.value <= each.high
    assert each.why


# --- what is shown ---


def test_the_page_is_what_the_command_prints(document: dict[str, Any]) -> None:
    held = (ROOT / "docs" / "published.md").read_text().partition("<!-- tables -->\n")[2].partition("\n<!-- /tables")[0]
    assert held == markdown(tables(document)), "put what `crossover published --markdown` prints between the marks"


def run(*arguments: str) -> int:
    parser = ArgumentParser()
    published.add(parser.add_subparsers())
    args = parser.parse_args(["published", *arguments])
    code: int = args.run(args)
    return code


def test_the_command_prints_json_markdown_and_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--large", "gpt-4o") == 0
    assert len(json.loads(capsys.readouterr().out)["groups"]) == 3
    assert run("--markdown", "--outcomes", str(SHIPPED), "--large", "gpt-4o") == 0
    assert "| MATH level 5 | all | gpt-4o-2024-08-06 | 721 |" in capsys.readouterr().out
    assert run("--large", "70B", "--hardware", "hc1", "h100-8b") == 0
    printed = capsys.readouterr().out
    assert "Direct on h100-8b" in printed
    assert "vendor-claimed" in printed
    assert "assumed" in printed


def test_an_interval_is_tangos() -> None:
    found = difference(26, 161, 1319)
    ends = [score(26, 161, 1319, end) for end in (found.low, found.high)]
    assert ends == pytest.approx([1.959964, -1.959964], abs=1e-6)
