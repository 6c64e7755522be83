"""Quality in plain words: what the difference is, whether it is real, where it comes from and on which tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

PARTS: Final = (
    ("cache_parts", "stale_hit", "legacy", "hits on another model's answer"),
    ("cache_parts", "false_hit", "legacy", "false hits"),
    ("routing_parts", "misroute", "legacy", "misroutes"),
    ("routing_parts", "lucky_route", "legacy", "lucky routes"),
)
"""Parts of the attribution in the order of the request's way; each effect is on direct less legacy."""
LEAST: Final = 0.0005
"""Effects that round to 0.0 points are not told."""
WORST: Final = 3
"""So many tasks are named."""
LETTERS: Final = 24
"""The most that is shown of a task's name."""


def lines(quality: Mapping[str, Any]) -> list[str]:
    """The difference with the tasks that matter most, and why. Says what is missing where it was not measured."""
    if quality["right"] is None:
        missing = [arm for arm in ("legacy", "direct") if quality[arm]["score"] is None]
        if len(missing) == 1:
            return [f"Quality of {missing[0]} is not measured: the texts of its answers were not all kept."]
        return ["Quality is not measured: there is no reference, or the answers' texts were not all kept."]
    said = [" ".join([*_difference(quality), *_tasks(quality)])]
    if why := next(_attribution(quality), None):
        said.append(why)
    return said


def details(quality: Mapping[str, Any]) -> list[str]:
    """What `lines` has no room for: the test, other weights, who is right how often, the noise floor."""
    if quality["right"] is None:
        return []
    return [*_weights(quality), *list(_attribution(quality))[1:], _counts(quality), *_noise(quality)]


def with_interval(found: Mapping[str, float]) -> str:
    """A difference in points with its 95 % interval."""
    return f"{points(found['estimate'])} [{points(found['low'])}, {points(found['high'])}]"


def points(share: float) -> str:
    return f"{share * 100:+.1f}"


def _difference(quality: Mapping[str, Any]) -> Iterator[str]:
    found = quality["questions_like_these"]["difference"]
    if found["low"] is None:
        yield f"Quality {found['reason']}: no interval, no verdict."
        return
    scored = "" if quality["scored"] == quality["questions"] else f" that could be scored of {quality['questions']}"
    floor, noise = "not measured", quality["noise_floor"]
    if noise is not None:
        alone = [arm for arm in ("legacy", "direct") if noise[arm]]
        floor = f"{noise['floor'] * 100:.1f}{f' of {alone[0]} alone' if len(alone) == 1 else ''}"
    yield (
        f"Quality: direct - legacy {with_interval(found)} points, {found['word'].upper()} ({found['items']} "
        f"questions{scored}, each once; margin {quality['margin'] * 100:g}; noise floor {floor})."
    )
    if found["word"] == "inconclusive":
        more = found["further_items"]
        also = f"; about {more:,} more questions would decide, if the difference stays as it is" if more else ""
        also += "; not worse by more than the margin, at least" if found["not_worse"] else ""
        yield f"Inconclusive: {found['reason']}{also}."


def _weights(quality: Mapping[str, Any]) -> Iterator[str]:
    alike, here = quality["questions_like_these"], quality["difference"]
    found, weighted = alike["difference"], alike["traffic_weighted"]
    if found["low"] is not None:
        p = "" if found["mcnemar_p"] is None else f", McNemar's exact p {_p(found['mcnemar_p'])}"
        yield f"The interval holds in 95 % of samples, by {found['method']}{p}."
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
    unlike = "The effects have no intervals: the requests that could not be attributed need not be like the others."
    why = f"Why, in this traffic{over}: {'; '.join(said) or 'no part has an effect'}."
    yield f"{why} {unlike}" if lost else why
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
    """How many tasks are worse, the worst few and the best, each alone; 25 tasks take no more room than 5."""
    tested, worse = quality["tasks_tested"], quality["worse_somewhere"]
    if tested < 2:
        return
    known = {name: each["difference"]["estimate"] for name, each in quality["by_task"].items()}
    ranked = sorted((name for name in known if known[name] is not None), key=lambda name: known[name])
    best = f"best: {_short(ranked[-1])} {points(known[ranked[-1]])}"
    if worse:
        named = [f"{_short(name)} {points(known[name])}" for name in ranked if name in worse]
        more = f" and {len(named) - WORST} more" if len(named) > WORST else ""
        yield f"Worse on {len(worse)} of {tested} tasks (Holm): {', '.join(named[:WORST])}{more}; {best}."
    else:
        shown = "not worse on every task" if quality["not_worse_on_every_task"] else "not shown to be no worse on all"
        worst = f"worst: {_short(ranked[0])} {points(known[ranked[0]])}"
        yield f"Worse on none of {tested} tasks for sure (Holm), {shown}; {worst}, {best}."


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 3]}..."


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
