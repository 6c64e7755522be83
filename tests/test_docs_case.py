"""docs/case-8b-on-silicon.md says what `crossover published` says: its table, and every figure in its sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.published.measure import measure
from benchmarks.published.model import MOST_VOTES

PAGE = Path(__file__).parents[1] / "docs" / "case-8b-on-silicon.md"
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
ROW, HITS = "hc1", "0.31"
Group = Mapping[str, Any]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return measure(hardware=[ROW])


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def against(document: Mapping[str, Any], large: str) -> list[Group]:
    return [group for group in document["groups"] if large in group["large"]]


def cascade(group: Group) -> Group:
    found: Group = group["cascade"]["measured"]["by_hit_rate"][HITS]
    return found


def end(group: Group, name: str) -> Group:
    found: Group = group["direct"][ROW][name]
    return found


def per_right_answer_more(group: Group) -> float:
    """US dollars that the cascade spends on each right answer that it gives beyond direct's, were direct free."""
    quality = group["cascade"]["measured"]["quality"]
    more = quality - group["small_share"]
    return float(cascade(group)["usd_per_decision"] * quality / more)


def between(values: Sequence[float], form: str) -> str:
    return f"{min(values):{form}} to {max(values):{form}}"


def points(gap: Mapping[str, float]) -> str:
    return f"{gap['estimate'] * 100:+.1f} [{gap['low'] * 100:+.1f}, {gap['high'] * 100:+.1f}]"


def table(document: Mapping[str, Any]) -> str:
    """A column a benchmark of the 70B's: MMLU-Pro as a whole, and those that are one group."""
    pooled = [group for group in document["pooled"] if "70B" in group["large"]]
    shown = [*pooled, *(group for group in against(document, "70B") if group["group"] == "all")]
    gaps = [group["direct_less_large"]["published"] for group in shown]
    routed = [group["cascade"]["measured"] for group in shown]
    claimed = [end(group, "published")["usd_per_decision_at_claimed"] for group in shown]
    rows = [
        ("", *(group["benchmark"] for group in shown)),
        ("---", *("--:" for _ in shown)),
        ("questions", *(f"{group['questions']:,}" for group in shown)),
        ("the 8B answers", *(f"{group['small_share']:.1%}" for group in shown)),
        ("the 70B answers", *(f"{group['large_share']:.1%}" for group in shown)),
        ("8B less 70B, points", *map(points, gaps)),
        ("the cascade answers", *(f"{each['quality']:.1%}" for each in routed)),
        ("share of them that goes to the 70B", *(f"{each['large_share']['value']:.0%}" for each in routed)),
        ("direct, seconds", *(f"{group['direct'][ROW]['seconds']:.3f}" for group in shown)),
        ("cascade, mean seconds", *(f"{cascade(group)['mean_s']:.2f}" for group in shown)),
        ("direct, dollars per 1,000 right answers", *(f"{usd * 1000:.4f}" for usd in claimed)),
        ("cascade, dollars per 1,000 right answers", *(f"{cascade(g)['usd_per_decision'] * 1000:.3f}" for g in shown)),
        ("what the cascade pays for one right answer more", *(f"${per_right_answer_more(g):.5f}" for g in shown)),
    ]  # fmt: skip
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def claims(document: Mapping[str, Any]) -> list[str]:
    """What the page's sentences say in figures, made from the document."""
    return [*answers(document), *compared(document), *follows(document)]


def answers(document: Mapping[str, Any]) -> list[str]:
    groups, large = document["groups"], against(document, "70B")
    whole = next(group for group in document["pooled"] if "70B" in group["large"])
    gap = points(whole["direct_less_large"]["published"]).replace(" ", " points ", 1)
    shares = f"{whole['small_share'] * 100:.1f} % where the 70B answers {whole['large_share'] * 100:.1f} %"
    worse_by = [-100 * group["direct_less_large"]["published"]["estimate"] for group in large]
    cheaper = [
        cascade(group)["usd_per_decision"] / end(group, "published")["usd_per_decision_at_claimed"] for group in large
    ]
    more = between([per_right_answer_more(group) for group in large], ".5f").replace(" to ", " to $")
    moved = [group for group in groups if end(group, "published")["verdict_at_claimed"]["word"] == "migrate"]
    words = Counter(group["direct_less_large"]["published"]["word"] for group in against(document, "51B"))
    return [
        f"worse in all {len(large)} groups of questions, by {between(worse_by, '.0f')} points",
        f"On MMLU-Pro it answers {shares}: {gap}",
        f"{whole['direct'][ROW]['seconds']:.1f} s where the cascade takes {cascade(whole)['mean_s']:.1f} s on average",
        f"{between(cheaper, '.0f')} times less per right answer",
        f"${more} for each right answer that it gives more",
        f"migrate in {len(moved)} groups of {len(groups)}. In all {len(moved)} the larger model is a 51B",
        f"better by less than {margin(document)} points, or not at all",
        f"worse in {words['worse']} of {words.total()} groups, better in {words['better']}, and the other "
        f"{words['inconclusive']} are inconclusive",
        f"the verdict is keep in all {len(groups)} groups",
    ]


def compared(document: Mapping[str, Any]) -> list[str]:
    groups, last = document["groups"], "the last three also against gpt-4o"
    return [
        f"a cache that has {document['assumptions']['hit_rates']['values'][1] * 100:g} % of the answers",
        f"quality less {margin(document)} points",
        f"by a margin of {margin(document)} points",
        f"{document['outcomes']['answer_pairs']:,} pairs of answers in {len(groups)} groups",
        f"the 70B ({len(against(document, '70B'))} groups), {last} ({len(against(document, 'gpt-4o'))})",
        f"the LLMRouter task set against a 51B ({len(against(document, '51B'))})",
        "recorded on 4,014 of these questions",
        '"about 20 times cheaper to build"',
    ]


def follows(document: Mapping[str, Any]) -> list[str]:
    large, pooled = against(document, "70B"), document["pooled"]
    silicon = next(group["large_on_silicon"] for group in pooled if "70B" in group["large"])
    sent, oracle = (
        between([100 * group["cascade"][skill]["large_share"]["value"] for group in large], ".0f")
        for skill in ("measured", "oracle")
    )
    margins = sorted((-100 * end(group, "published")["less_cascade"]["low"], group["benchmark"]) for group in large)
    price, pace = silicon["usd_per_mtok_below"][HITS], silicon["tok_s_at_least"]["p99_s"]["value"]
    votes = [(group["benchmark"], group["votes"][ROW]["to_cascade"]) for group in large]
    reached = [each for _, each in votes if None not in (each["equally_hard"], each["spread"])]
    (gsm8k,) = (each["equally_hard"] for benchmark, each in votes if benchmark.startswith("GSM8K"))
    return [
        f"sends {sent} % of the questions to the 70B; one that knew the outcomes would send {oracle} %",
        f"your margin is {margins[0][0]:.1f} points or more | on {margins[0][1].partition(' ')[0]}",
        f"in every other group it takes {margins[1][0]:.1f} or more",
        f"wins below ${price['value']:.2g} ({price['low']:.2g} to {price['high']:.2g}) per million tokens",
        f"at {pace:.0f} tokens a second, if rounding takes less than {silicon['may_lose'] * 100:.0f} points",
        f"{gsm8k} bring GSM8K to the cascade; of the {len(large)} groups that is so in {len(reached)}",
        f"with at most {MOST_VOTES} votes",
    ]


def margin(document: Mapping[str, Any]) -> str:
    return f"{document['assumptions']['margin'] * 100:g}"


def plain(page: str) -> str:
    return " ".join(page.replace("**", "").split())


def test_its_table_is_up_to_date(page: str, document: dict[str, Any]) -> None:
    held, expected = page.partition(BEGIN)[2].partition(END)[0], table(document)
    assert held == expected, f"put this between the figures marks of {PAGE}:\n{expected}"


def test_its_sentences_say_what_the_command_says(page: str, document: dict[str, Any]) -> None:
    missing = [claim for claim in claims(document) if claim not in plain(page)]
    assert not missing, f"{PAGE} does not say:\n" + "\n".join(missing)


def test_no_figure_in_its_sentences_is_held_by_nobody(page: str, document: dict[str, Any]) -> None:
    before, _, rest = page.partition(BEGIN)
    text = plain(before + rest.partition(END)[2])
    for claim in claims(document):
        text = text.replace(claim, "")
    for known in ("Llama 3.1", "8B", "70B", "51B", "gpt-4o", "HC1", "3 bits", "3 and 6 bits", "level 5", "GSM8K",
                  "case-8b", "p99"):  # fmt: skip
        text = text.replace(known, "")
    left = [each for each in re.findall(r"\S*\d\S*", text) if not re.fullmatch(r"\d\.", each)]  # a list's numbers
    assert left == [], "a figure that no test holds to the outcomes"


def test_its_words_hold(document: dict[str, Any]) -> None:
    """What the page says in words alone."""
    published = against(document, "70B")
    assert {group["direct_less_large"]["published"]["word"] for group in published} == {"worse"}
    assert all(end(group, "rounded")["verdict_at_claimed"]["word"] == "keep" for group in document["groups"])
    assert all(end(group, "published")["usd_per_decision"] is None for group in document["groups"]), "no price"
    for group in document["groups"]:
        if end(group, "published")["verdict_at_claimed"]["word"] == "migrate":
            assert "51B" in group["large"]
            assert group["direct_less_large"]["published"]["estimate"] > -document["assumptions"]["margin"]
            assert group["cascade"]["measured"]["large_share"]["value"] == 0.0, "it sends nobody to the larger model"
    assert all(per_right_answer_more(group) < 0.001 for group in published), "a tenth of a cent, with room to a cent"
    assert all(end(group, "published")["verdict"]["reason"] == "quality" for group in published)
