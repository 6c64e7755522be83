"""Quality in plain words: what the difference is, whether it is real, where it comes from and on which tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Table = list[tuple[str, str, str, str]]
PARTS: Final = (
    ("cache_parts", "stale_hit", "legacy", "hits on another model's answer"),
    ("cache_parts", "false_hit", "legacy", "false hits"),
    ("routing_parts", "misroute", "legacy", "misroutes"),
    ("routing_parts", "lucky_route", "legacy", "lucky routes"),
)
"""Parts of the attribution in the order of the request's way; each effect is on direct less legacy."""
LEAST: Final = 0.0005
"""Effects that round to 0.0 points are not told."""


def lines(quality: Mapping[str, Any]) -> list[str]:
    """The paragraph under the table. Says what is missing where quality could not be measured."""
    if quality["right"] is None:
        missing = [arm for arm in ("legacy", "direct") if quality[arm]["score"] is None]
        if len(missing) == 1:
            return [f"Quality of {missing[0]} is not measured: the texts of its answers were not all kept."]
        return ["Quality is not measured: there is no reference, or the answers' texts were not all kept."]
    return [*_differences(quality), *_attribution(quality), *_tasks(quality), *_noise(quality), _counts(quality)]


def by_task(quality: Mapping[str, Any]) -> Table:
    """One line a task: both scores, the difference with its interval, and the word."""
    rows: Table = [("task (questions)", "legacy", "direct", "direct - legacy, points, each alone")]
    for name, task in quality["by_task"].items():
        found = task["difference"]
        legacy, direct = (
            "-" if task[arm]["score"] is None else f"{task[arm]['score']:.1%}" for arm in ("legacy", "direct")
        )
        told = found["reason"] if found["low"] is None else f"{with_interval(found)} {found['word']}"
        rows.append((f"{name} ({task['questions']})", legacy, direct, told))
    return rows


def with_interval(found: Mapping[str, float]) -> str:
    """A difference in points with its 95 % interval."""
    return f"{points(found['estimate'])} [{points(found['low'])}, {points(found['high'])}]"


def points(share: float) -> str:
    return f"{share * 100:+.1f}"


def _differences(quality: Mapping[str, Any]) -> Iterator[str]:
    alike = quality["questions_like_these"]
    found, weighted, here = alike["difference"], alike["traffic_weighted"], quality["difference"]
    scored = "" if quality["scored"] == quality["questions"] else f" that could be scored, of {quality['questions']}"
    if found["low"] is None:
        yield f"Quality {found['reason']}: no interval, no verdict."
        return
    margin = f"margin {quality['margin'] * 100:g} points"
    p = "" if found["mcnemar_p"] is None else f", McNemar's exact p {_p(found['mcnemar_p'])}"
    yield (
        f"Questions like these ({found['items']}{scored}, each counted once): direct - legacy "
        f"{with_interval(found)} points, {found['word'].upper()} ({margin}, 95 % by {found['method']}{p})."
    )
    if found["word"] == "inconclusive":
        more = found["further_items"]
        also = f"; about {more:,} more questions would decide, if the difference stays as it is" if more else ""
        also += "; not worse by more than the margin, at least" if found["not_worse"] else ""
        yield f"Inconclusive: {found['reason']}{also}."
    if weighted["low"] is not None and here["low"] is not None:
        yield (
            f"Weighted by how often each was asked: {with_interval(weighted)}. This traffic, these very questions: "
            f"{with_interval(here)}."
        )


def _attribution(quality: Mapping[str, Any]) -> Iterator[str]:
    found = quality["attribution"]
    if found is None:
        return
    lost, requests = found["unattributed"], found["requests"]
    if lost == requests:
        yield f"Why: nothing could be attributed, {lost} requests: {found['reason']}."
        return
    said = []
    for group, part, arm, name in PARTS:
        effect = found[group][part]["effect"]  # what legacy loses raises direct - legacy
        if abs(effect) >= LEAST:
            said.append(f"{arm} {'loses' if effect > 0 else 'gains'} {abs(effect) * 100:.1f} points by {name}")
    if abs(found["backend"]) >= LEAST:
        said.append(
            f"direct {'loses' if found['backend'] < 0 else 'gains'} {abs(found['backend']) * 100:.1f} by its model "
            f"against always large{' (same model: what differs is chance)' * found['same_model']}"
        )
    over = ""
    if lost:
        over = f", over {requests - lost} of {requests} requests"
        said.append(f"{points(found['unattributed_points'])} are unattributed, {lost} requests: {found['reason']}")
    yield f"Why, in this traffic{over}: {'; '.join(said) or 'no part has an effect'}."
    if lost:
        yield "The effects have no intervals: the requests that could not be attributed need not be like the others."
    between = found["intervals"]
    if between["cache"]["low"] is None:
        return
    effects = ", ".join(
        f"{name} {with_interval({'estimate': found[name], **between[name]})}"
        for name in ("cache", "routing", "backend")
    )
    yield f"Effects on direct - legacy, jointly 95 %: {effects}."
    if any(part["requests"] for part in found["cache_parts"].values()):
        yield "Nothing ages within one run; what stale answers cost as things change, crossover drift shows."
    other = found["router_first"]
    if any(abs(other[name] - found[name]) >= LEAST for name in ("cache", "routing")):
        yield f"Router first, then cache: routing {points(other['routing'])}, cache {points(other['cache'])}."


def _tasks(quality: Mapping[str, Any]) -> Iterator[str]:
    tested = quality["tasks_tested"]
    if tested < 2:
        return
    if worse := quality["worse_somewhere"]:
        yield f"Worse on {', '.join(worse)} (Holm over {tested} tasks)."
    else:
        shown = (
            "not worse on every task" if quality["not_worse_on_every_task"] else "and not shown to be no worse on all"
        )
        yield f"Worse on no task for sure once corrected for looking at {tested} (Holm), {shown}."


def _noise(quality: Mapping[str, Any]) -> Iterator[str]:
    found, why = quality["noise_floor"], quality["noise_reasons"]
    if found is None:
        told = why["legacy"] if why["legacy"] == why["direct"] else "; ".join(f"{arm}: {why[arm]}" for arm in why)
        yield f"Noise floor: not measured ({told})."
        return
    told = f"Noise floor: {found['floor'] * 100:.1f} points between two runs of one system"
    if any(found[arm] and found[arm]["runs"] == 2 for arm in ("legacy", "direct")):
        told += " (two runs are one draw of it; more --repeats tell more)"
    for arm in ("legacy", "direct"):
        if mine := found[arm]:
            told += f"; {mine['flipped']:.1%} of {arm}'s answers changed their score"
            told += f", {mine['failed']} requests failed in some run" if mine["failed"] else ""
        else:
            told += f"; {arm}'s own is not measured ({why[arm]})"
    yield f"{told}."


def _counts(quality: Mapping[str, Any]) -> str:
    right, higher, counts = quality["right"], quality["higher"], []
    if higher:
        counts.append(
            f"Scores, by question: legacy higher on {higher['legacy']}, direct higher on {higher['direct']}, equal on "
            f"{higher['equal']}."
        )
    if not higher or right["neither"] < quality["scored"]:
        counts.append(
            f"Right answers{' (a score of 1)' * bool(higher)}, by question: both {right['both']}, only legacy "
            f"{right['legacy_only']}, only direct {right['direct_only']}, neither {right['neither']}."
        )
    return " ".join(counts)


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
