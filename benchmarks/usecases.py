"""Uses of a model that become worth it when answers are fast and cheap: each on every message, beside what is done now.

Quality and tokens come from the recordings of the built-in tasks, whose small models stand in for those that the
hardware serves; the time is that of the hardware row; what a message is worth are assumptions with ranges, printed with
the result. A row whose price nobody has published has no cost here, but the price below which full coverage pays, and
beside it what its vendor's claim leads to where there is one.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

from benchmarks.cost.rates import RENTED, Rate, rate_of
from benchmarks.cost.uncertain import Draws
from benchmarks.cost_settings import CostSettings
from benchmarks.published.reach import on_hardware
from benchmarks.quality import interval
from benchmarks.quality.score import score
from benchmarks.targets.builtin import recording_file
from benchmarks.workloads.workload import Item, Workload, load
from shared.backends.recorded import read_recording, recording_key
from shared.contract import Usage
from shared.errors import BadInput
from shared.hardware.catalogue import Hardware, catalogue
from shared.hardware.pace import NEEDED, pace
from shared.pricing import Price, token_price

SCHEMA: Final = "crossover-usecases/1"
SHIPPED: Final = Path(__file__).with_suffix(".toml")
SAMPLES: Final = (0.01, 0.05, 0.2, 1.0)
BURNT: Final = frozenset({"hc1", "hc1-demo"})
STAND_INS: Final = (("8B", "qwen-0.5b"), ("70B", "qwen-1.5b"), ("gpt-4o", "qwen-1.5b"))
"""Which recorded model stands for which size of model, by the end of its name."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A figure of the product that nobody else can know, in the unit of its name, with the range it may lie in."""

    value: float
    low: float
    high: float
    why: str


@dataclass(frozen=True, slots=True)
class Use:
    """What is done with every message, what is done instead today, and the task whose recordings stand for it.

    `finds` tells the items that there is something to find in; without it every message has something to gain, and
    what is done today is one answer for each cohort.
    """

    title: str
    today: str
    task: str
    stands_for: str
    finds: Callable[[Item], bool] | None
    assumed: Mapping[str, Assumption] = field(default_factory=dict)


USES: Final[Mapping[str, Use]] = {
    "moderation": Use(
        "moderation of every message before it is shown",
        "a random sample is checked",
        "moderation",
        "caught: a message against the rules gets its right label; false alarm: an allowed one does not get `ok`",
        lambda item: item.reference != "ok",
    ),
    "personalisation": Use(
        "an answer for each user on every request",
        "one answer for each cohort, the users of one plan",
        "intent",
        "the intent task, whose right label depends on the user's plan; the cohort's answer is the most frequent right "
        "one among the training items of that plan",
        None,
    ),
    "correction": Use(
        "correction of every response before it is sent",
        "a random sample is corrected",
        "grammar",
        "corrected: a faulty text becomes an accepted one; spoilt: a right text is changed",
        lambda item: isinstance(item.reference, list) and item.input not in item.reference,
    ),
}

Range = tuple[float, float, float]
"""Value, low and high."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a recorded model did on a task: shares with 95 % intervals, and the tokens of each answer.

    `found` is the share of what there is to find, or the gain over the cohorts' answers; `spoilt` the share of the
    rest that is wrongly acted on, None where there is no rest.
    """

    found: Range
    spoilt: Range | None
    usages: tuple[Usage, ...]


def measure(
    hardware: Sequence[str] = (), given: Mapping[str, float] | None = None, *, files: Sequence[Path] = ()
) -> dict[str, Any]:
    """Every use at each hardware row (default: all, those of `files` too), US dollars and seconds; None is not known.

    `given` overrides assumptions by name, such as `moderation.value_usd`. Raises `BadInput` for an unknown name.
    """
    rows = catalogue(*files)
    if unknown := [each for each in hardware if each not in rows]:
        raise BadInput(f"hardware {unknown[0]!r} is unknown; use one of {', '.join(rows)}")
    uses = _with_given(given or {})
    workload = load()
    chosen = [rows[each] for each in hardware or rows]
    models = {each.id: _stand_in(each) for each in chosen}
    found = {
        (name, model): _see(use, model, workload)
        for name, use in uses.items()
        for model in dict.fromkeys(models.values())
        if model
    }
    return {
        "schema": SCHEMA,
        "assumptions": {
            f"{name}.{each}": asdict(assumed) for name, use in uses.items() for each, assumed in use.assumed.items()
        },
        "stand_ins": {each.id: {"stands_for": each.model, "model": models[each.id]} for each in chosen},
        "uses": {
            name: {
                "title": use.title,
                "today": use.today,
                "stands_for": use.stands_for,
                "rows": {each.id: _row(use, each, found.get((name, models[each.id] or ""))) for each in chosen},
            }
            for name, use in uses.items()
        },
    }


def _with_given(given: Mapping[str, float]) -> dict[str, Use]:
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    uses = {
        name: replace(use, assumed={each: Assumption(**figures) for each, figures in shipped[name].items()})
        for name, use in USES.items()
    }
    for name, value in given.items():
        use, _, each = name.partition(".")
        if use not in uses or each not in uses[use].assumed:
            known = [f"{one}.{other}" for one, its in uses.items() for other in its.assumed]
            raise BadInput(f"--assume {name}: there is no such assumption; use one of {', '.join(known)}")
        if not 0 <= value <= (1.0 if each == "share" else 1e6):
            raise BadInput(f"--assume {name}: {value:g} must be 0 or more, and a share at most 1")
        own = Assumption(value, value, value, "given on the command line")
        uses[use] = replace(uses[use], assumed={**uses[use].assumed, each: own})
    return uses


def _stand_in(hardware: Hardware) -> str | None:
    if hardware.id in BURNT:
        return "qwen-0.5b-burnt-3-6"
    return next((name for size, name in STAND_INS if re.search(rf"\b{size}$", hardware.model)), None)


def _see(use: Use, model: str, workload: Workload) -> Seen:
    answers = read_recording(recording_file(model, "test")).rows
    items = [item for item in workload.split("test") if item.task == use.task]
    got = {item.id: answers[recording_key(workload.request(item))] for item in items}
    right = {item.id: score(got[item.id].text, item, workload).value >= 1 for item in items}
    usages = tuple(Usage(row.input_tokens, row.output_tokens) for row in got.values())
    if use.finds is None:
        cohort = _cohorts(workload, use.task)
        better = [float(right[item.id]) - (cohort(item) == item.reference) for item in items]
        return Seen((fmean(better), *interval.difference(better, [item.group for item in items])), None, usages)
    there, rest = [item for item in items if use.finds(item)], [item for item in items if not use.finds(item)]
    return Seen(_share(there, right), _share(rest, {each: not done for each, done in right.items()}), usages)


def _share(items: Sequence[Item], yes: Mapping[str, bool]) -> Range:
    each = [yes[item.id] for item in items]
    return fmean(each), *interval.share(each, [item.group for item in items])


def _cohorts(workload: Workload, task: str) -> Callable[[Item], str | None]:
    """The most frequent right answer of each plan's users, from the items that nothing is judged on."""

    def plan(item: Item) -> str:
        found = re.search(r"Plan: (\w+)", item.profile or "")
        return found[1] if found else ""

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in (*workload.split("train"), *workload.split("validation")):
        if item.task == task:
            counts[plan(item)][str(item.reference)] += 1
    return lambda item: counts[plan(item)].most_common(1)[0][0] if counts[plan(item)] else None


def _row(use: Use, hardware: Hardware, seen: Seen | None) -> dict[str, Any]:
    """One use on one row. `coverage` is the share of messages that both the time and the dollars allow."""
    if seen is None:
        return {"not_known": f"no recorded model stands in for {hardware.model}"}
    worth = _worth(use, seen)
    claimed = on_hardware(hardware).claimed
    hardware, assumed = _with_shipped(hardware)
    rate = rate_of(token_price(hardware), hardware, CostSettings())
    cost = None if rate.missing else _mean_cost(rate, seen.usages)
    mtok = fmean((each.input_tokens or 0) + (each.output_tokens or 0) for each in seen.usages) / 1e6
    seconds = _seconds(hardware, seen.usages)
    share = use.assumed["share"].value if "share" in use.assumed else 1.0
    covered = _coverage(use, seconds, cost)
    return {
        "not_known": None,
        "found": _named(seen.found),
        "spoilt": seen.spoilt and _named(seen.spoilt),
        "added_p50_s": None if seconds is None else median(seconds),
        "assumed_figures": {
            "time": [name for name in NEEDED if name in assumed],
            "cost": [name for name in (*RENTED, "utilisation") if rate.rented and name in (*assumed, "utilisation")],
        },
        "cost_rests_on": None if rate.missing else "rent" if rate.rented else "list price",
        "usd_per_1000": None if cost is None else 1000 * cost,
        **covered,
        "spoilt_at_most": _bearable(use, seen),
        "tokens_per_message": 1e6 * mtok,
        "gained_per_1000": {f"{sample:g}": 1000 * share * seen.found[0] * sample for sample in SAMPLES},
        "worth_usd_per_1000": _named([1000 * each for each in worth]),
        "pays_below_usd_per_mtok": {
            name: each / mtok if each > 0 else None for name, each in zip(("value", "low", "high"), worth, strict=True)
        },
        "pays": _pays(cost, worth, covered),
        "at_claimed": None if claimed is None else _at_claimed(use, claimed, seen, seconds, worth),
    }


def _at_claimed(use: Use, price: Price, seen: Seen, seconds: Sequence[float] | None, worth: Range) -> dict[str, Any]:
    """What rests on the price, at the one that the vendor's claim leads to."""
    cost = _mean_cost(Rate(price=price), seen.usages)
    covered = _coverage(use, seconds, cost)
    return {
        "usd_per_1000": 1000 * cost,
        "affordable": covered["affordable"],
        "coverage": covered["coverage"],
        "pays": _pays(cost, worth, covered),
        "standing": price.standing,
        "source": price.source,
    }


def _coverage(use: Use, seconds: Sequence[float] | None, cost: float | None) -> dict[str, dict[str, float] | None]:
    """Shares of messages: answered `in_time`, `affordable` within the budget, and both, which is the smaller one."""
    within, budget = use.assumed["within_s"], use.assumed["budget_usd"]
    in_time = seconds and [fmean(each <= limit for each in seconds) for limit in _points(within)]
    paid = None if cost is None else [min(1.0, usd / (1000 * cost)) if cost else 1.0 for usd in _points(budget)]
    both = [min(pair) for pair in zip(in_time, paid, strict=True)] if in_time and paid else None
    named = {"in_time": in_time, "affordable": paid, "coverage": both}
    return {name: _named(each) if each else None for name, each in named.items()}


def _points(assumed: Assumption) -> Range:
    return assumed.value, assumed.low, assumed.high


def _named(each: Sequence[float]) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), each, strict=True))


def _worth(use: Use, seen: Seen) -> Range:
    """Dollars that acting on one message is worth: share * found * value - (1 - share) * spoilt * harm.

    It rises or falls steadily with each of these, so its bounds lie at their bounds: all at their worst, all at their
    best, the recordings' intervals among them. Acting on a sample is worth the same a message.
    """
    certain = Assumption(1.0, 1.0, 1.0, "")
    none = Assumption(0.0, 0.0, 0.0, "")
    share, value = use.assumed.get("share", certain), use.assumed["value_usd"]
    harm, spoilt = use.assumed.get("harm_usd", none), seen.spoilt or (0.0, 0.0, 0.0)

    def at(share: float, found: float, value: float, spoilt: float, harm: float) -> float:
        return share * found * value - (1 - share) * spoilt * harm

    found, low, high = seen.found
    lows = [at(each, low, worst, spoilt[2], harm.high) for each in (share.low, share.high) for worst in _ends(value)]
    highs = [at(each, high, best, spoilt[1], harm.low) for each in (share.low, share.high) for best in _ends(value)]
    return at(share.value, found, value.value, spoilt[0], harm.value), min(lows), max(highs)


def _bearable(use: Use, seen: Seen) -> float | None:
    """The largest share of false alarms at which acting on a message is worth anything; None where there are none."""
    if seen.spoilt is None:
        return None
    share, harm = use.assumed["share"].value, use.assumed["harm_usd"].value
    against = (1 - share) * harm
    return min(1.0, share * seen.found[0] * use.assumed["value_usd"].value / against) if against else 1.0


def _ends(assumed: Assumption) -> tuple[float, float]:
    return assumed.low, assumed.high


def _pays(cost: float | None, worth: Range, covered: Mapping[str, Mapping[str, float] | None]) -> str:
    """What is shown to fail fails, whatever else is not known; what covers no message pays for none."""
    in_time, affordable = covered["in_time"], covered["affordable"]
    if worth[2] <= 0:
        return "never"
    if cost is not None and cost > worth[2]:
        return "no"
    if in_time and not in_time["high"]:
        return "never in time"
    if affordable and not affordable["high"]:
        return "never within the budget"
    if cost is None or not in_time or not affordable:
        unknown = [name for name, known in (("price", affordable), ("time", in_time)) if not known]
        return f"{' and '.join(unknown)} not known"
    sure = cost <= worth[1] and in_time["low"] > 0 and affordable["low"] > 0
    return "yes" if sure else "depends on the assumptions"


def _mean_cost(rate: Rate, usages: Sequence[Usage]) -> float:
    prompt, output, call = rate.usd(CostSettings(), Draws())
    return call + fmean((each.input_tokens or 0) * prompt + (each.output_tokens or 0) * output for each in usages)


def _with_shipped(hardware: Hardware) -> tuple[Hardware, list[str]]:
    """The hardware with the shipped assumptions where nothing is known, and which figures those are."""
    filled = hardware.with_shipped()
    return filled, [name for name in filled.figures if hardware.value(name) != filled.value(name)]


def _seconds(hardware: Hardware, usages: Sequence[Usage]) -> list[float] | None:
    """Seconds of each answer alone on the hardware; None where a figure of its pace is unknown."""
    if any(hardware.value(name) is None for name in NEEDED):
        return None
    own = pace(hardware)
    return [own.seconds(each.input_tokens or 0, each.output_tokens or 0) for each in usages]
