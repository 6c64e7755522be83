"""The assumptions behind the cost of a decision, each with a slider that works the cost out anew in the page.

Here are the controls, their ends and where each value comes from; the numbers behind them are made by `cost_inputs.py`
and worked out by `assets/sliders.js`. What is moved changes nothing in the run: no verdict is drawn from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from benchmarks.cost_settings import CostSettings, Range
from benchmarks.report import kept_cost
from benchmarks.report.html import cost_inputs, svg
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element
from benchmarks.scenario import ARMS, Arm

TITLE: Final = "Assumptions, and what a decision costs at others"
TIMES: Final = 10.0
"""A number that has no range may be moved from a tenth to ten times the run's value."""
GUESSED: Final = f"ends: a tenth and {TIMES:g} times the run's value"
NOBODY: Final = "not set in this run; the ends are only to try"
ABOUT: Final[Mapping[str, tuple[str, str, tuple[float, float]]]] = {
    "input_usd_per_mtok": ("prompt price", "US dollars per million tokens", (0.001, 10.0)),
    "output_usd_per_mtok": ("output price", "US dollars per million tokens", (0.001, 10.0)),
    "per_call_usd": ("price", "US dollars a call", (1e-5, 0.1)),
    "rent_usd_per_hour": ("rent", "US dollars an hour of the deployment", (0.1, 100.0)),
    "utilisation": ("Utilisation of rented hardware", "share of its time", (0.05, 1.0)),
    "power_usd_per_kwh": ("Power of rented hardware", "US dollars a kilowatt-hour", (0.02, 1.0)),
    "wrong_answer_usd": ("Harm of a wrong answer", "US dollars each", (1e-5, 1.0)),
    "requests_per_month": ("Requests", "a month", (1e4, 1e9)),
    "engineering_usd_per_hour": ("Engineering", "US dollars an hour", (20.0, 300.0)),
    "legacy_engineering_hours_per_month": ("Work on legacy", "hours a month", (0.1, 160.0)),
    "direct_engineering_hours_per_month": ("Work on direct", "hours a month", (0.1, 160.0)),
    "cache_storage_usd_per_gb_month": ("Storage of the cache", "US dollars a gigabyte and month", (0.01, 1.0)),
    "cache_gb": ("Size of the cache", "gigabytes", (0.1, 10.0)),
}
"""Of each number: its name, its unit, and the ends where nothing says what they are."""
PLACES: Final = {"small": "small model", "large": "large model", "call": "model"}
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Each month": (
        "requests_per_month",
        "engineering_usd_per_hour",
        "legacy_engineering_hours_per_month",
        "direct_engineering_hours_per_month",
        "cache_storage_usd_per_gb_month",
        "cache_gb",
    ),
    "Each request": ("wrong_answer_usd", "utilisation", "power_usd_per_kwh"),
}
RENTED: Final = ("utilisation", "power_usd_per_kwh")
STORED: Final = ("cache_storage_usd_per_gb_month", "cache_gb")
SHARES: Final = ("utilisation",)
PARTS: Final = {
    "tokens": "Tokens of answers that were used",
    "rejected": "Tokens of drafts and failures",
    "power": "Power",
    "wrong_answers": "Wrong answers",
    "cache_storage": "Storage of the cache",
    "engineering": "Engineering",
}
EVEN: Final = {
    "price": "Direct's price per million tokens, in and out alike",
    "hit_rate": "Hit rate of legacy's cache",
    "volume": "Requests a month",
    "engineering_rate": "US dollars an hour of engineering",
}


@dataclass(frozen=True, slots=True)
class Slider:
    """One number that may be moved from `low` to `high`. `from_zero`: the left end is 0."""

    name: str
    label: str
    unit: str
    value: float | None
    low: float
    high: float
    note: str
    optional: bool
    from_zero: bool = False


def section(run: Run) -> str:
    """Controls, what follows from them, and the numbers as data. One sentence where nothing was counted."""
    settings = kept_cost.settings_of(run.report)
    rates = kept_cost.rates_of(run.report, settings)
    ledger = kept_cost.ledger_of(run.rows, rates, settings)
    if ledger.reason:
        return svg.section("assumptions", TITLE, svg.paragraph(f"Nothing to move: {ledger.reason}."))
    hours = _drill_hours(run.report)
    middle = None if hours is None else {arm: each.value for arm, each in hours.items()}
    data = cost_inputs.inputs(ledger, rates, settings, middle)
    data |= {"claim": _claim(run.report, data["values"]), "quality": _quality(run.report)}
    groups = sliders(run.report, data, settings, hours)
    return svg.section(
        "assumptions",
        TITLE,
        svg.paragraph(words(run.report, groups)),
        element("noscript", element("p", "The sliders need JavaScript, which is off.")),
        element("form", *(_fieldset(name, each) for name, each in groups.items()), _buttons(data["claim"]),
                id="cost-form", hidden=True),
        element("p", id="cost-said", role="status"),
        _results(),
        _data("cost-inputs", data),
    )  # fmt: skip


def words(report: Mapping[str, Any], groups: Mapping[str, list[Slider]]) -> str:
    """What the sliders begin with, and what they cannot say."""
    every = [each for group in groups.values() for each in group]
    unset = sum(each.value is None for each in every)
    unknown = f"{unset} of them are not known and stay out of the sums until they are set" if unset else "all are set"
    costs = "; ".join(f"{arm} {_cost(report['cost'][arm])}" for arm in ARMS)
    return (
        f"The cost of a decision rests on {len(every)} numbers that this run did not measure; {unknown}. As the run "
        f"has them, 1,000 decisions cost: {costs}. Moved here, they change what was counted in this run's "
        f"{report['cost']['requests']:,} requests by arithmetic alone: no interval is drawn, and speed, quality and "
        "hit rate stay as they were. For an interval, write the numbers into the scenario and run crossover compare "
        "again."
    )


def sliders(
    report: Mapping[str, Any], data: Mapping[str, Any], settings: CostSettings, hours: Mapping[Arm, Range] | None
) -> dict[str, list[Slider]]:
    """By group, only those that act on a sum: prices of calls that were made, rent where anything is rented."""
    values, places = data["values"], [name for name in data["values"] if "." in name and not _is_wrong(name)]
    groups = {"Prices": [_of_place(name, values[name], report) for name in places]}
    rented = any(name.endswith("rent_usd_per_hour") for name in places)
    for group, names in GROUPS.items():
        groups[group] = [
            _of_setting(name, values[name], settings, hours)
            for wanted in names
            if (rented or wanted not in RENTED) and (data["arms"]["legacy"]["steps_told"] or wanted not in STORED)
            for name in (filter(_is_wrong, values) if wanted == cost_inputs.WRONG else [wanted])
        ]
    return {name: each for name, each in groups.items() if each}


def _is_wrong(name: str) -> bool:
    return name.partition(".")[0] == cost_inputs.WRONG


def _of_place(name: str, value: float | None, report: Mapping[str, Any]) -> Slider:
    """A price or a rent of one kind of call, with what is known of where it comes from."""
    arm, kind, what = name.split(".")
    label, unit, _ = ABOUT[what]
    given = report["provenance"]
    known: Range | None = None
    if what == "rent_usd_per_hour":
        figure = given["hardware"][f"{arm}.{kind}"]["figures"][what]
        source, standing = figure["source"], figure["standing"]
        if figure["low"] is not None and figure["high"] is not None:
            known = Range(value=figure["value"], low=figure["low"], high=figure["high"])
    else:
        price = given["prices"].get(f"{arm}.{kind}") or {"source": "no price is given", "standing": "unknown"}
        source, standing = price["source"], price["standing"]
    low, high, why = _ends(what, value, known)
    place = f"{arm}'s {PLACES[kind]}"
    return Slider(name, f"{place[:1].upper()}{place[1:]}, {label}", unit, value, low, high,
                  f"{standing}: {source}; {why}", optional=what.endswith("mtok"))  # fmt: skip


def _of_setting(name: str, value: float | None, settings: CostSettings, hours: Mapping[Arm, Range] | None) -> Slider:
    """A number of `[cost]`."""
    key, _, task = name.partition(".")
    given = settings.of_wrong(task) if key == cost_inputs.WRONG else getattr(settings, key)
    known, note = (given, given.why) if isinstance(given, Range) else (None, "")
    arm: Arm = "legacy" if key.startswith("legacy") else "direct"
    if given is None and hours and key.endswith("_engineering_hours_per_month"):
        known = hours[arm]
        note = f"not set in this run; with an hourly rate and no hours, the {known.value:.3g} by the drills, assumed"
    low, high, why = _ends(key, value, known)
    label, unit, _ = ABOUT[key]
    return Slider(
        name,
        f"{label}, {task}" if task else label,
        unit,
        value,
        low,
        high,
        "; ".join(filter(None, (note, why))),
        optional=key in cost_inputs.OPTIONAL,
        from_zero=key == cost_inputs.WRONG,
    )


def _ends(what: str, value: float | None, known: Range | None) -> tuple[float, float, str]:
    """The ends of a slider, above 0 and apart, and why they are those."""
    if known is not None and 0 < known.low < known.high:
        return known.low, known.high, "ends: the assumed range"
    if value and what in SHARES:
        return value / TIMES, 1.0, "ends: a tenth of the run's value, and 1"
    if value:
        return value / TIMES, value * TIMES, GUESSED
    return *ABOUT[what][2], NOBODY if value is None else "0 in this run; the ends are only to try"


def _drill_hours(report: Mapping[str, Any]) -> dict[Arm, Range] | None:
    """Hours a month by the drills, as `upkeep.with_hours` takes them."""
    counted = report["maintenance"].get("drills")
    return counted and {arm: Range(**counted["hours_per_month"]["all"][arm]) for arm in ARMS}


def _claim(report: Mapping[str, Any], values: Mapping[str, float | None]) -> dict[str, Any] | None:
    """The vendor's claim of direct's prices, where they may be set to it."""
    claim = report["cost"]["vendor_claim"]
    names = {end: f"direct.call.{end}_usd_per_mtok" for end in ("input", "output")}
    if not claim or not set(names.values()) <= set(values):
        return None
    return {"values": {name: claim[f"{end}_usd_per_mtok"] for end, name in names.items()}, "source": claim["source"]}


def _quality(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the verdict knows of quality before it looks at cost."""
    found = report["quality"]["questions_like_these"]["difference"]
    return {"measured": found["estimate"] is not None, "word": found["word"], "not_worse": found["not_worse"]}


def _cost(cost: Mapping[str, Any]) -> str:
    each = cost["per_decision_usd"]
    return f"not known ({cost['unknown']})" if each is None else f"${1000 * each:.4g}"


def _fieldset(name: str, group: list[Slider]) -> str:
    return element("fieldset", element("legend", escape(name)), *map(_control, group))


def _control(each: Slider) -> str:
    """A number and a slider for one value: the same label, and a note that both are described by."""
    at = "cost-" + "".join(letter if letter.isalnum() else "-" for letter in each.name)
    unit = element("span", escape(each.unit), class_="t-muted")
    label = element("label", escape(each.label), " ", unit, id=at, for_=f"{at}-number")
    shared = {"aria_describedby": f"{at}-note", "aria_labelledby": at}
    most = "1" if each.name in SHARES else None
    number = element("input", type="number", id=f"{at}-number", step="any", min="0", max=most,
                     required=not each.optional, placeholder="not known", **shared)  # fmt: skip
    slide = element("input", type="range", id=f"{at}-range", min="0", max="1000", step="1", **shared)
    said = element("output", for_=f"{at}-number {at}-range")
    note = element("small", escape(each.note), id=f"{at}-note", class_="t-muted")
    return element(
        "div", label, slide, number, said, note, class_="slider", data_name=each.name, data_low=repr(each.low),
        data_high=repr(each.high), data_zero=each.from_zero,
    )  # fmt: skip


def _buttons(claim: Mapping[str, Any] | None) -> str:
    buttons = [element("button", "Back to the run's values", type="button", id="cost-reset")]
    note = "An empty field is not known."
    if claim:
        buttons.append(element("button", "Direct at the vendor's claim", type="button", id="cost-claim"))
        note += f" The claim: {claim['source']}."
    return element("p", *buttons, " ", element("small", escape(note), class_="t-muted"))


def _results() -> str:
    """Tables that the script fills."""
    parts, even = {**PARTS, "sum": "All together"}, ("wins", "now")
    return element(
        "div",
        _table(
            "US dollars per 1,000 decisions, at the values above",
            ARMS,
            [(label, [f"{arm} {name}" for arm in ARMS]) for name, label in parts.items()],
        ),
        _table(
            "Where direct becomes the cheaper of the two, all else as above",
            ("direct is cheaper", "now"),
            [(label, [f"{name} {what}" for what in even]) for name, label in EVEN.items()],
        ),
        id="cost-results",
        hidden=True,
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Rows of a name and the keys of its cells."""
    top = element("tr", element("td"), *(element("th", escape(name), scope="col") for name in head))
    body = "".join(
        element("tr", element("th", escape(label), scope="row"), *(element("td", data_cell=key) for key in keys))
        for label, keys in rows
    )
    table = element("table", element("caption", escape(caption)), element("thead", top), element("tbody", body))
    return element("div", table, class_="scroll", role="group", aria_label=caption)


def _data(id_: str, data: Mapping[str, Any]) -> str:
    """JSON for the script; no text of it can end the element."""
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{id_}">{text}</script>'
