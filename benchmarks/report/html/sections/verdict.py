"""The card on top of the page: the word, why, how far it can be trusted, four differences, and the worst flips.

It decides nothing: the word and its reasons are the report's, from `benchmarks/verdict.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from benchmarks.report import html
from benchmarks.report.explain import WORDS, cause
from benchmarks.report.html import svg
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element
from benchmarks.report.quality_text import points
from benchmarks.report.terminal import nearest, seconds_text
from benchmarks.scenario import ARMS
from benchmarks.verdict import Difference

MEANS: Final = {
    "migrate": "On these figures direct can take legacy's place.",
    "keep": "On these figures legacy should stay.",
    "split": "On these figures some of it can move to direct, and some should stay with legacy.",
    "undecided": "These figures do not decide between legacy and direct.",
}
SIDES: Final = {"lower": "better", "higher": "worse", "alike": "inconclusive", "unknown": "not known"}
"""What a difference of something that should be low says of direct."""
FLIPS: Final = 5
LETTERS: Final = 120
"""The most that is shown of a question or an answer; the request browser has them whole."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One measure: direct - legacy in words, what that is of direct, and what stands under it."""

    title: str
    change: str
    word: str
    told: tuple[str, ...]
    standing: str


def section(run: Run) -> str:
    """The card, the four tiles and the flips."""
    report = run.report
    verdict, standing = report["verdict"], report["standing"]["/verdict"]
    gates = [f"Gate {each['gate']}: {each['state']} ({each['why']})." for each in report["gates"]]
    reasons = "".join(element("li", escape(f"{reason[:1].upper()}{reason[1:]}.")) for reason in verdict["reasons"])
    card = element(
        "div",
        element("h2", "Verdict: ", element("strong", escape(verdict["overall"])), id="verdict-heading"),
        element("p", escape(MEANS[verdict["overall"]])),
        element("ul", reasons, *(element("li", escape(gate)) for gate in gates)),
        *([element("p", escape(_by_task(verdict["by_task"])))] if len(verdict["by_task"]) > 1 else []),
        element("p", escape(f"Standing: {standing} ({html.STANDINGS[standing]}).{_stand_ins(report)}"), class_="note"),
        class_=f"card {verdict['overall']}",
    )
    tiles = element("div", *(_tile(each) for each in _tiles(report)), class_="tiles")
    parts = (card, element("h3", "Direct less legacy"), tiles, *_flips(run))
    return element("section", *parts, id="verdict", aria_labelledby="verdict-heading")


def _by_task(words: Mapping[str, str]) -> str:
    named = {word: [task for task, each in words.items() if each == word] for word in MEANS}
    said = "; ".join(f"{word}: {', '.join(tasks)}" for word, tasks in named.items() if tasks)
    return f"Task by task, {said}."


def _stand_ins(report: Mapping[str, Any]) -> str:
    found = report["provenance"]["scenario"]["stand_ins"]
    return f" Stand-ins: {'; '.join(found.values())}." if found else ""


def _tiles(report: Mapping[str, Any]) -> Iterator[Tile]:
    yield _maintenance(report)
    yield _quality(report)
    yield _latency(report)
    yield _cost(report)


def _maintenance(report: Mapping[str, Any]) -> Tile:
    lines = {arm: report["maintenance"][arm]["lines"] for arm in ARMS}
    standing = _standing(report, "/maintenance/{}")
    if None in lines.values():
        missing = " and ".join(arm for arm in ARMS if lines[arm] is None)
        return Tile("Maintenance: lines", "not known", "not known", (f"No source of {missing} to count.",), standing)
    change = lines["direct"] - lines["legacy"]
    word = "better" if change < 0 else "worse" if change > 0 else "equivalent"
    off = [
        f"{found['lines']:,} more of {arm} are switched off."
        for arm in ARMS
        if (found := report["maintenance"][arm]["optional"]) and found["lines"]
    ]
    told = (f"Legacy {lines['legacy']:,}, direct {lines['direct']:,}; counted, so exact.", *off)
    return Tile("Maintenance: lines", f"{change:+,} lines", word, told, standing)


def _quality(report: Mapping[str, Any]) -> Tile:
    alike = report["quality"]["questions_like_these"]
    found, title, standing = alike["difference"], "Quality: mean score", _standing(report, "/quality/{}")
    if found["estimate"] is None or found["low"] is None:
        return Tile(title, "not known", "not known", (f"Quality {found['reason']}.",), standing)
    scores = _each({arm: f"{alike[arm]['score']:.1%}" for arm in ARMS})
    told = (_inside(points(found["low"]), points(found["high"])), f"{scores}; {found['items']:,} questions, each once.")
    return Tile(title, f"{points(found['estimate'])} points", found["word"], told, standing)


def _latency(report: Mapping[str, Any]) -> Tile:
    latency, title = report["latency"], "Latency: p99"
    between, standing = latency["difference"], _standing(report, "/latency/{}")
    values = {arm: latency[arm]["p99"] for arm in ARMS}
    if None in values.values():
        missing = " and ".join(arm for arm in ARMS if values[arm] is None)
        return Tile(title, "not known", "not known", (f"Too few timed answers of {missing}, or none.",), standing)
    told = f"{_each({arm: seconds_text(values[arm]) for arm in ARMS})}."
    p99 = between and between["p99"]["of_quantiles"]
    if p99:
        found = Difference.of(p99).beyond(latency["floor_p99"])
        said = (_inside(_time(p99["low"]), _time(p99["high"])), told)
        return Tile(title, _time(p99["estimate"]), SIDES[found.side], said, standing)
    few = "No interval: requests waited for one another, so more of them are needed."
    beside = [few, told]
    if p95 := between and between["p95"]["of_quantiles"]:
        word = SIDES[Difference.of(p95).side]
        beside.append(f"At p95: {_time(p95['estimate'])} [{_time(p95['low'])}, {_time(p95['high'])}], {word}.")
    return Tile(title, _time(values["direct"] - values["legacy"]), "no interval", tuple(beside), standing)


def _cost(report: Mapping[str, Any]) -> Tile:
    cost, title = report["cost"], "Cost per 1,000 decisions"
    found, standing = Difference.of(cost["difference_usd"]), _standing(report, "/cost/{}/per_decision_usd")
    told = [f"{_each({arm: _usd(cost[arm]['per_decision_usd']) for arm in ARMS})}."]
    if found.estimate is not None:
        inside = [] if found.low is found.high is None else [_inside(_change(found.low), _change(found.high))]
        return Tile(title, _change(found.estimate), SIDES[found.side], (*inside, *told), standing)
    claim = cost["vendor_claim"]
    if claim and claim["per_decision_usd"] is not None:
        change = claim["difference_usd"]
        told.append(
            f"By the vendor's claim direct would cost {_usd(claim['per_decision_usd'])}: {_change(change['estimate'])} "
            f"[{_change(change['low'])}, {_change(change['high'])}] (vendor-claimed)."
        )
    even = cost["break_even"]["price"]
    if even["value"] is not None:
        told.append(f"Direct is the cheaper below ${even['value']:.3g} per million tokens.")
    return Tile(title, "not known", "not known", tuple(told), standing)


def _tile(tile: Tile) -> str:
    shape = element("svg", svg.mark(tile.word, 8, 8), viewBox="0 0 16 16", aria_hidden="true")
    word = element("span", escape(tile.word), class_=f"word-{tile.word.split()[0]}")
    change = [] if tile.change == tile.word else [element("span", escape(tile.change))]
    return element(
        "div",
        element("h4", escape(tile.title)),
        element("p", shape, *change, word, class_="delta"),
        *(element("p", escape(line), class_="note") for line in tile.told),
        element("p", escape(f"Standing: {tile.standing}."), class_="note"),
        class_="tile",
    )


def _standing(report: Mapping[str, Any], pointer: str) -> str:
    """The word of both arms, or each one's."""
    words = {arm: nearest(report["standing"], pointer.format(arm)) for arm in ARMS}
    one = len(set(words.values())) == 1
    return words["legacy"] if one else ", ".join(f"{arm} {word}" for arm, word in words.items())


def _each(shown: Mapping[str, str]) -> str:
    return f"Legacy {shown['legacy']}, direct {shown['direct']}"


def _inside(low: str, high: str) -> str:
    return f"95 % interval {low} to {high}."


def _time(seconds: float | None) -> str:
    return "no end" if seconds is None else f"{'-' if seconds < 0 else '+'}{seconds_text(abs(seconds))}"


def _change(usd: float | None) -> str:
    return "no end" if usd is None else f"{'-' if usd < 0 else '+'}{_usd(abs(usd))}"


def _usd(usd: float | None) -> str:
    """Dollars for 1,000."""
    return "not known" if usd is None else f"${1000 * usd:.4f}"


def _flips(run: Run) -> Iterator[str]:
    """The questions that weigh most on the difference: one system right in all of their requests, the other not."""
    effects = _effects(run)
    if not effects:
        return
    ranked = sorted(effects, key=lambda number: (-abs(effects[number][0]), number))
    shown = ranked[:FLIPS]
    first = {effects[number][0] > 0 for number in shown}
    if len(first) == 1:  # all one way, so the greatest the other way is shown too
        shown += [number for number in ranked if (effects[number][0] > 0) not in first][:1]
    sides = {arm: sum((effect > 0) == (arm == "direct") for effect, _ in effects.values()) for arm in ARMS}
    yield element("h3", "Where one is right and the other is not")
    told = (
        f"Only legacy is right on {_questions(sides['legacy'])}, only direct on {_questions(sides['direct'])}. These "
        "weigh most on the mean score of this traffic, with at least one of each side if there is one."
    )
    yield element("p", escape(told))
    head = ("Request", "Task", "Question", "Legacy", "Direct", "Cause", "Effect, points", "Times asked")
    names = element("tr", *(element("th", name, scope="col") for name in head))
    rows = [_flip(run, number, *effects[number]) for number in shown]
    caption = "The greatest effects on direct less legacy"
    table = element("table", element("caption", caption), element("thead", names), element("tbody", *rows))
    yield element("div", table, class_="scroll", role="group", aria_label=caption)


def _questions(count: int) -> str:
    return f"{count:,} question{'' if count == 1 else 's'}"


def _pairs(run: Run) -> dict[int, dict[str, Mapping[str, Any]]]:
    pairs: dict[int, dict[str, Mapping[str, Any]]] = {}
    for row in run.rows:
        pairs.setdefault(row["request"], {})[row["arm"]] = row
    return {number: pair for number, pair in pairs.items() if len(pair) == len(ARMS)}


def _effects(run: Run) -> dict[int, tuple[float, int]]:
    """By the first request of each question that one alone answers rightly: effect in shares, and requests of it."""
    pairs, asked = _pairs(run), dict[str, list[int]]()
    for number, pair in pairs.items():
        asked.setdefault(pair["legacy"]["item"], []).append(number)
    found = {}
    for numbers in asked.values():
        scores = [(pairs[number]["legacy"]["score"], pairs[number]["direct"]["score"]) for number in numbers]
        if any(None in pair for pair in scores):
            continue
        ups, downs = (all(pair[one] == 1 > pair[1 - one] for pair in scores) for one in (1, 0))
        if ups or downs:
            effect = sum(direct - legacy for legacy, direct in scores) / len(pairs)
            found[numbers[0]] = effect, len(numbers)
    return found


def _flip(run: Run, number: int, effect: float, asked: int) -> str:
    pair = {row["arm"]: row for row in run.rows if row["request"] == number}
    others = {row["arm"]: row for row in run.counterfactuals if row["request"] == number and row["score"] is not None}
    whole = others if set(others) == set(WORDS) else {}
    told = cause(pair["legacy"], pair["direct"], whole, "").split("; ")
    heads = [each.partition(":")[0] for each in told]
    link = element("a", str(number), href=f"#request-{number}")
    cells = [element("td", escape(pair["legacy"]["task"])), _words(pair["legacy"]["question"])]
    for arm in ARMS:
        word = "right" if pair[arm]["score"] == 1 else "wrong"
        said = pair[arm]["text"] if pair[arm]["error"] is None else pair[arm]["error"]
        cells.append(_words(str(said), element("strong", f"{word}: ", class_=word)))
    cells.append(element("td", escape(", ".join(heads if whole else ["unattributed"]))))
    figures = (element("td", said, class_="figure") for said in (f"{100 * effect:+.2f}", str(asked)))
    return element("tr", element("th", link, scope="row"), *cells, *figures)


def _words(said: str, before: str = "") -> str:
    return element("td", before, escape(said if len(said) <= LETTERS else f"{said[: LETTERS - 4]} ..."), class_="words")
