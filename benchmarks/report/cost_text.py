"""What a decision costs, what each stage is worth, and where the answer changes, as a terminal has room for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LEAST: Final = 1e-5
UNITS: Final = {"usd": "${:.4f}", "seconds": "{:.3g} s", "wrong_answers": "{:.3g} wrong answers"}
STAGES: Final = ("cache", "classifier", "cascade")
BREAK_EVENS: Final = {
    "price": ("on cost", "{} per Mtok", "${:.4g}"),
    "speed": ("on p99", "{} times its pace", "{:.3g}"),
    "hit_rate": ("on cost", "a hit rate of {}", "{:.1%}"),
    "volume": ("on cost", "{} requests a month", "{:,.0f}"),
    "engineering_rate": ("on cost", "{} an hour of engineering", "${:.4g}"),
}
ARMS: Final = ("legacy", "direct")


def lines(report: Mapping[str, Any]) -> list[str]:
    """What a decision costs, then where direct wins; nothing that is not in `report`."""
    cost, claim, forecast = report["cost"], report["cost"]["vendor_claim"], report["cost"]["forecast"]
    said = [f"Cost per 1,000 decisions: {'; '.join(_decision(arm, cost[arm]) for arm in ARMS)}.", _left_out(cost)]
    if claim and claim["per_decision_usd"] is not None:
        said.insert(1, f"Vendor-claimed of direct: ${1000 * claim['per_decision_usd']:.4f}.")
    if forecast:
        said.append(f"Expiry date of the optimisation layer: {_forecast(forecast)}.")
        if claimed := forecast["at_vendor_claim"]:
            said.append(f"At the price by the vendor's claim: {_forecast(claimed)} (vendor-claimed).")
    return [each for each in (" ".join(said), " ".join(_break_evens(cost["break_even"]))) if each]


def stages(report: Mapping[str, Any]) -> list[str]:
    """What each stage of legacy is worth, in one statement; none where none is known."""
    accounts = report["cost"]["stages"]
    told = [each for stage in STAGES if (each := _stage(stage, accounts[stage]))]
    return [f"Stages of legacy, per 1,000 requests: {'; '.join(told)}."] if told else []


def _decision(arm: str, cost: Mapping[str, Any]) -> str:
    if cost["per_decision_usd"] is None:
        return f"{arm} not known ({cost['unknown']})"
    value, low, high = (cost[f"per_decision{end}_usd"] for end in ("", "_low", "_high"))
    inside = ""
    if low is not None or high is not None:
        ends = ("no end" if each is None else f"${1000 * each:.4f}" for each in (low, high))
        inside = f" [{', '.join(ends)}]"
    return f"{arm} ${1000 * value:.4f}{inside}"


def _left_out(cost: Mapping[str, Any]) -> str:
    """The parts that are in neither arm's sum; report.html has each arm's reason."""
    legacy, direct = (cost[arm]["left_out"] for arm in ARMS)
    parts = [name.replace("_", " ") for name in legacy if name in direct]
    return f"In neither sum: {', '.join(parts) or 'nothing is missing'}."


def _stage(name: str, stage: Mapping[str, Any]) -> str:
    """What a stage is worth; a net below 0 is a gain, since it is costs less savings."""
    shown = []
    for metric, pattern in UNITS.items():
        if found := stage[metric]:
            shown.append(_signed(found["net"] * 1000, pattern))
            if found["times"] is not None and found["net"] > 0 and shown[-1]:
                shown[-1] += f" ({found['times']:.3g} times those it saves)"
    return f"the {name} {', '.join(each for each in shown if each)}" if any(shown) else ""


def _signed(net: float, pattern: str) -> str:
    """Nothing where it rounds to nothing."""
    if float(f"{abs(net):.3g}") < LEAST:
        return ""
    return f"costs {pattern.format(net)}" if net > 0 else f"saves {pattern.format(-net)}"


def _break_evens(found: Mapping[str, Any]) -> list[str]:
    """Where direct wins, by what it never does, the quality that it needs, and what is not known."""
    wins, never, unknown = [], dict[str, list[str]](), []
    for name, each in found.items():
        if each["state"] == "unknown input":
            unknown.append(name.replace("_", " "))
        elif name in BREAK_EVENS and each["state"] == "never":
            never.setdefault(BREAK_EVENS[name][0], []).append(name.replace("_", " "))
        elif name in BREAK_EVENS:
            wins.append(_break_even(name, each))
    lines = [f"Direct wins, at its quality: {'; '.join(wins)}."] if wins else []
    lines += [f"Direct never wins {what} by {' or '.join(names)}: no value would do." for what, names in never.items()]
    if (quality := found["quality"])["value"] is not None:
        lines.append(f"Not worse from {100 * quality['value']:+.1f} points on, now {100 * quality['now']:+.1f}.")
    if unknown:
        lines.append(f"Not known: {', '.join(unknown)}.")
    return lines


def _break_even(name: str, found: Mapping[str, Any]) -> str:
    what, pattern, number = BREAK_EVENS[name]
    if found["value"] is None:
        return f"{what} whatever the {name.replace('_', ' ')}"
    inside = ""
    if found["low"] is not None and found["high"] is not None:
        inside = f" [{number.format(found['low'])}, {number.format(found['high'])}]"
    past = _past(found)
    return f"{what} {found['wins']} {pattern.format(number.format(found['value']))}{inside}{past}"


def _past(found: Mapping[str, Any]) -> str:
    if found["state"] != "already past":
        return ""
    return f", past, but {found['reason']}" if found["reason"] else ", past"


def _forecast(forecast: Mapping[str, Any]) -> str:
    """One clause for each state."""
    if forecast["state"] == "already past":
        return "already past, since direct is the cheaper today"
    if forecast["state"] == "never":
        return "never, since direct is the dearer at every price"
    if forecast["state"] == "unknown input":
        return f"not known, because {forecast['reason']}"
    day, low, high = (forecast[key] for key in ("date", "low", "high"))
    inside = "" if low is None and high is None else f" [{low or 'at once'}, {high or 'never'}]"
    return f"{day or 'after the year 9999'}{inside}, at the decline a year that is assumed"
