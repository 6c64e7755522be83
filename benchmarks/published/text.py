"""The document of `measure.py` as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.published.case import WITH_CACHE
from benchmarks.published.measure import SKILLS
from benchmarks.table_text import Table

Document = Mapping[str, Any]


def tables(document: Document) -> list[Table]:
    """Every table of the document, one row a group; benchmarks of several groups once more as a whole."""
    groups = [*document["groups"], *document["pooled"]]
    return [
        _assumed(document),
        _quality(document, groups),
        _cascade(groups),
        *(_direct(groups, row) for row in groups[0]["direct"]),
        *(_votes(groups, row, document["assumptions"]["votes"]) for row in groups[0]["votes"]),
        _silicon(groups),
    ]


def _assumed(document: Document) -> Table:
    given = document["assumptions"]
    rows = [
        (
            f"tokens of {name}, {way}",
            f"{each['value']:,g} ({each['low']:,g} to {each['high']:,g})",
            each["standing"],
            each["why"],
        )
        for name, tokens in given["tokens"].items()
        for way, each in tokens.items()
    ]
    for key, what in (("retained", "right answers kept at 3 bits"), ("routing_apgr", "routing, APGR")):
        for kind, each in given[key].items():
            value = f"{each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f})"
            rows.append((f"{what}, {kind.replace('_', ' ')}", value, each["standing"], each["why"]))
    hits = given["hit_rates"]
    rows.append(("hit rate of the cache", " and ".join(f"{each:g}" for each in hits["values"]), "assumed", hits["why"]))
    for id_, price in given["claimed_price"].items():
        if price:
            value = f"{price['input_usd']:g} in, {price['output_usd']:g} out"
            rows.append((f"price of {id_}, USD per Mtok", value, price["standing"], price["why"]))
    for name, served in given["served"].items():
        where = f"price {served['priced']}, pace {served['paced']}" if served else "not known"
        rows.append((f"{name} in the cascade", where, "list price, emulated", served["why"] if served else ""))
    return Table(
        "Assumptions",
        "Nothing below was measured on this machine: outcomes are recorded by others, times are emulated from the "
        "hardware catalogue for one request alone, and these are taken for granted.",
        ("what", "value (range)", "standing", "why"),
        rows,
    )


def _quality(document: Document, groups: Iterable[Document]) -> Table:
    rows = []
    for group in groups:
        published, rounded = (group["direct_less_large"][end] for end in ("published", "rounded"))
        shares = (f"{group['small_share']:.1%}", f"{group['large_share']:.1%}")
        rows.append(
            (*_name(group), f"{group['questions']:,}", *shares, _points(published), published["word"],
             _points(rounded), rounded["word"])
        )  # fmt: skip
    return Table(
        "Direct less the larger model",
        "Direct is the small model for every question. Points, with Tango's 95 % interval; the word is that of the "
        "interval at a margin of 2 points. At 3 bits is the far end of what rounding takes (assumed); HC1 holds 3 and "
        "6 bits and lies between. " + _in_short(document["summary"]),
        (*_HEAD, "questions", "direct", "larger", "direct less larger", "word", "at 3 bits (assumed)", "word"),
        rows,
    )


def _in_short(summary: Document) -> str:
    """How many groups have which word."""
    ends = (("as published", summary["words"]["published"]), ("at 3 bits", summary["words"]["rounded"]))
    return " ".join(
        f"Groups {end}: {', '.join(f'{count} {word}' for word, count in words.items())}." for end, words in ends
    )


def _cascade(groups: Iterable[Document]) -> Table:
    rows = []
    for group in groups:
        cascades = [group["cascade"][skill] for skill in SKILLS]
        costs = [
            " / ".join(_milli(cascade["by_hit_rate"][rate]["usd_per_decision"]) for cascade in cascades)
            for rate in cascades[0]["by_hit_rate"]
        ]
        times = group["cascade"]["measured"]["by_hit_rate"][f"{WITH_CACHE:g}"]
        share = " / ".join(f"{cascade['large_share']['value']:.0%}" for cascade in cascades)
        quality = f"{group['cascade']['measured']['quality']:.1%}"
        rows.append((*_name(group), share, quality, *costs, *(_seconds(times[key]) for key in times if key[-1] == "s")))
    return Table(
        "The cascade that keeps the larger model's quality less 2 points",
        "With three routers: one that draws lots / as good as this project's / one that knows the outcomes. Cost in US "
        "dollars per 1,000 acceptable decisions, at list prices. Seconds with the middle router behind the cache.",
        (*_HEAD, "to the larger", "right", "cost, no cache", f"cost, {WITH_CACHE:.0%} hits", "mean", "p50", "p99"),
        rows,
    )  # fmt: skip


def _direct(groups: Iterable[Document], row: str) -> Table:
    rows = []
    for group in groups:
        direct = group["direct"][row]
        published, rounded = direct["published"], direct["rounded"]
        prices = published["break_even_usd_per_mtok"]
        known = published["usd_per_decision"]
        cost = published["usd_per_decision_at_claimed"] if known is None else known
        rows.append(
            (*_name(group), _seconds(direct["seconds"]), _milli(cost), _usd(prices["measured"]["0"]),
             _usd(prices["measured"][f"{WITH_CACHE:g}"]), _usd(prices["oracle"][f"{WITH_CACHE:g}"]),
             _verdict(published), _verdict(rounded))
        )  # fmt: skip
    return Table(
        f"Direct on {row}",
        "Cost in US dollars per 1,000 acceptable decisions, at the row's price, or where that is unknown at the one "
        "that the vendor's claim leads to (vendor-claimed). Break-even: US dollars per million tokens, in and out "
        "alike, below which direct costs less per acceptable decision than the cascade with the measured router, or "
        f"the oracle. Verdict in place of the cascade with the measured router and {WITH_CACHE:.0%} hits: quality not "
        "worse by 2 points, then cost, then p99. At 3 bits is meant for rows whose weights are rounded.",
        (*_HEAD, "seconds", "cost", "break-even, no cache", f"break-even, {WITH_CACHE:.0%} hits",
         "break-even, oracle and hits", "verdict as published", "verdict at 3 bits"),
        rows,
    )  # fmt: skip


def _votes(groups: Iterable[Document], row: str, given: Document) -> Table:
    rows = []
    for group in groups:
        cells = list[str]()
        for name in ("to_published", "to_cascade"):
            votes = group["votes"][row][name]
            prices = votes["break_even_usd_per_mtok"]
            price = "-" if prices is None else _usd(prices[f"{WITH_CACHE:g}"])
            cells += [_count(votes), price, _seconds(votes["seconds"])]
        rows.append((*_name(group), *cells))
    demo, study = given["demo"], given["study"]
    low, high = given["demo_by_model"]["equally_hard"]
    return Table(
        f"Votes on {row} that would buy back what 3 bits take",
        "A model of majority votes, not a measurement: as if all questions were equally hard / as hard as in "
        f"arXiv 2203.11171 ({study['one']:.1%} to {study['voted']:.1%} with {study['votes']} votes). The first gives "
        f"{low:.0%} to {high:.0%} for the demo's arithmetic, {demo['one']:.0%} to {demo['voted']:.0%} with "
        f"{demo['votes'][0]} to {demo['votes'][1]} votes. Wrong answers are taken to agree, so it says none where "
        "fewer than half are right; where wrong answers scatter, fewer votes do. None: not with 31. Prices and seconds "
        f"are those of the larger number, prices beside the cascade with {WITH_CACHE:.0%} hits.",
        (*_HEAD, "to full precision", "price below", "seconds", "to the cascade", "price below", "seconds"),
        rows,
    )


def _silicon(groups: Sequence[Document]) -> Table:
    rows = []
    for group in groups:
        wanted = group["large_on_silicon"]
        prices, paces = wanted["usd_per_mtok_below"], wanted["tok_s_at_least"]
        ends = {row: direct["published"] for row, direct in group["direct"].items()}
        does = [row for row, end in ends.items() if end["verdict_at_claimed"]["word"] == "migrate"]
        found = [f"{id_}: {_word(row['verdict'])}" for id_, row in wanted["rows"].items()]
        rows.append(
            (*_name(group), ", ".join(does) or "no", _usd(prices["0"]), _usd(prices[f"{WITH_CACHE:g}"]),
             _pace(paces["p99_s"]), _pace(paces["mean_s"]), f"{wanted['may_lose'] * 100:.1f}", "; ".join(found) or "-")
        )  # fmt: skip
    return Table(
        "What the larger model on such silicon must cost and run at for the verdict to flip",
        "It would answer every question in place of the cascade with the measured router. Price: US dollars per "
        "million tokens, in and out alike, below which it costs less per acceptable decision. Pace: tokens a second at "
        f"which it is no slower than that cascade with {WITH_CACHE:.0%} hits, with the first token of "
        f"{next(iter(groups[0]['direct']))}. May lose: points of right answers that rounding may take before it is "
        "worse by the margin. The small one does: the verdict is migrate at the claimed price, unrounded. Rows: those "
        "of the catalogue, and of files of your own, that serve the larger model, with their verdict.",
        (*_HEAD, "the small one does", "price, no cache", f"price, {WITH_CACHE:.0%} hits", "pace for p99",
         "pace for mean", "may lose", "rows"),
        rows,
    )  # fmt: skip


_HEAD = ("benchmark", "group", "larger")


def _name(group: Document) -> tuple[str, str, str]:
    return group["benchmark"], group["group"], group["large"].removesuffix(" Instruct")


def _points(gap: Document) -> str:
    return f"{gap['estimate'] * 100:+.1f} [{gap['low'] * 100:+.1f}, {gap['high'] * 100:+.1f}]"


def _word(verdict: Document) -> str:
    return f"{verdict['word']} ({verdict['reason']})" if verdict["word"] != "migrate" else "migrate"


def _verdict(end: Document) -> str:
    known, claimed = end["verdict"], end["verdict_at_claimed"]
    return _word(known) + ("" if known == claimed else f"; at the claimed price {_word(claimed)}")


def _count(votes: Document) -> str:
    first, second = ("none" if votes[key] is None else str(votes[key]) for key in ("equally_hard", "spread"))
    return first if first == second else f"{first} / {second}"


def _usd(price: Document) -> str:
    if price["value"] is None:
        return "not known"
    return f"{price['value']:.3g} ({price['low']:.3g} to {price['high']:.3g})"


def _pace(pace: Document) -> str:
    return "not known, or none" if pace["value"] is None else f"{pace['value']:,.0f}"


def _milli(usd: float | None) -> str:
    return "not known" if usd is None else f"{usd * 1000:.3g}"


def _seconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds:.3g} s"
