"""Every request of the run, to be searched and filtered in the page by `assets/requests.js`.

The figures in the words are of requests, each as often as it was asked; those of the verdict count questions once.
Next: `rows.py` (how they are packed).
"""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import Any, Final

from benchmarks.report.html.rows import NO_ANSWER, NOT_TOLD, Packed, pack
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element
from benchmarks.report.terminal import nearest
from benchmarks.scenario import ARMS

RIGHT: Final = {
    "both": "both right",
    "legacy_only": "legacy alone right",
    "direct_only": "direct alone right",
    "neither": "neither right",
}
"""A right answer has the full score."""
FILTERS: Final = {
    **RIGHT,
    "legacy_higher": "legacy scored higher",
    "direct_higher": "direct scored higher",
    "equal": "equal scores",
    "unknown": "not known",
}
"""The values are those that `requests.js` gives a request."""
ROUTES: Final = {
    "cache": "from the cache",
    "similar": "from the cache, a similar question's",
    "share": "another request's, under way",
    "small": "small model",
    "large": "large model",
    "call": "its model",
    NO_ANSWER: NO_ANSWER,
    NOT_TOLD: NOT_TOLD,
}
PAGER: Final = {"first": "First", "previous": "Previous", "next": "Next", "last": "Last"}


def section(run: Run) -> str:
    """The words, the form, an empty list and the packed requests."""
    packed = pack(run)
    parts = [element("h2", "Every request"), element("p", escape(words(run)))]
    if packed.left_out:
        parts.append(element("p", escape(_left_out(packed)), class_="note"))
    nothing = "Without JavaScript there is no list here; crossover explain prints any request."
    parts += [
        element("noscript", element("p", nothing)),
        _form(packed),
        element("p", id="requests-count", role="status", aria_live="polite"),
        element("ol", id="requests-list", class_="requests"),
        _pager(),
        element("script", json.dumps({"gzip": packed.data}), type="application/json", id="requests-data"),
    ]
    return element("section", *parts, id="requests")


def words(run: Run) -> str:
    """How many requests there were, on how many who was right, and how their times and costs came to be."""
    scores: dict[int, dict[str, float | None]] = {}
    for row in run.rows:
        scores.setdefault(row["request"], {})[row["arm"]] = row["score"]
    items = len({row["item"] for row in run.rows})
    counts = Counter(_right(pair) for pair in scores.values())
    told = ", ".join(f"{name} on {counts[key]:,}" for key, name in RIGHT.items())
    unknown = f"; not known of {counts['unknown']:,}" if counts["unknown"] else ""
    ways = "; ".join(
        f"{arm}'s times are {_standing(run, f'/latency/{arm}')}, "
        f"its costs {_standing(run, f'/cost/{arm}/usd_per_answer')}"
        for arm in ARMS
    )
    return (
        f"{len(scores):,} requests with {items:,} different questions: {told}{unknown} (right is the full score). "
        f"Where nothing else is said of a request, {ways}."
    )


def _standing(run: Run, pointer: str) -> str:
    return nearest(run.report["standing"], pointer).replace("unknown", "not known")


def _right(pair: dict[str, float | None]) -> str:
    legacy, direct = (pair.get(arm) for arm in ARMS)
    if legacy is None or direct is None:
        return "unknown"
    return next(
        name
        for name, each in zip(RIGHT, ((True, True), (True, False), (False, True), (False, False)), strict=True)
        if each == (legacy >= 1, direct >= 1)
    )


def _left_out(packed: Packed) -> str:
    return (
        f"{packed.here:,} requests are on this page, those with different scores first; {packed.left_out:,} more do "
        "not fit. Each is told by: crossover explain RUN NUMBER"
    )


def _form(packed: Packed) -> str:
    routes = [(f"{arm}:{way}", f"{arm}: {ROUTES.get(way, way)}") for arm, way in packed.routes]
    search = element("input", type="search", id="requests-search", autocomplete="off", spellcheck="false")
    return element(
        "form",
        _labelled("search", "Text in question or answers", search),
        _choice("task", "Task", [(task, task) for task in packed.tasks]),
        _choice("right", "Who was right", list(FILTERS.items())),
        _choice("cause", "Cause of the difference", [(cause, cause) for cause in packed.causes]),
        _choice("route", "Answered by", routes),
        element("button", "Clear", type="button", id="requests-clear"),
        element("p", "Up and down move, Enter opens, left and right turn the page.", class_="note"),
        id="requests-form",
        class_="filters",
        role="search",
        aria_label="Requests",
        hidden=True,
    )


def _choice(name: str, label: str, options: list[tuple[str, str]]) -> str:
    made = [element("option", escape(text), value=value) for value, text in [("", "all"), *options]]
    return _labelled(name, label, element("select", *made, id=f"requests-{name}"))


def _labelled(name: str, label: str, field: str) -> str:
    return element("div", element("label", label, for_=f"requests-{name}"), field)


def _pager() -> str:
    buttons: list[Any] = [element("button", text, type="button", value=way) for way, text in PAGER.items()]
    buttons.insert(2, element("span", id="requests-page"))
    return element("nav", *buttons, id="requests-pager", class_="pager", aria_label="Pages of requests", hidden=True)
