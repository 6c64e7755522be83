"""The lines that say what a decision costs, what each stage is worth, and where the answer changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LEAST: Final = 1e-5
UNITS: Final = {"usd": "${:.4f}", "seconds": "{:.3g} s of waiting", "wrong_answers": "{:.3g} wrong answers"}
STAGES: Final = ("cache", "classifier", "cascade")
BREAK_EVENS: Final = {
    "price": ("on cost", "a price of ${:.4g} per Mtok"),
    "speed": ("on p99", "{:.3g} times its pace"),
    "hit_rate": ("on cost", "a hit rate of {:.1%}"),
    "volume": ("on cost", "{:,.0f} requests a month"),
    "engineering_rate": ("on cost", "${:.4g} an hour of engineering"),
}


def lines(report: Mapping[str, Any]) -> list[str]:
    """What is known of the cost part, one statement a line; nothing that is not in `report`."""
    cost = report["cost"]
    told = [_stage(stage, cost["stages"][stage]) for stage in STAGES]
    stages = [each for each in told if each]
    lines = [f"Stages of legacy, per 1,000 requests on this traffic: {'; '.join(stages)}."] if stages else []
    known = [_break_even(name, each) for name, each in cost["break_even"].items() if name in BREAK_EVENS]
    if any(known):
        lines.append(f"Direct wins, at the quality it has: {'; '.join(each for each in known if each)}.")
    if claim := cost["vendor_claim"]:
        ratio = claim["ratio"]["value"]
        beside = "" if ratio is None else f", {ratio:.3g} times legacy's"
        lines.append(
            f"At ${claim['input_usd_per_mtok']:g} in and ${claim['output_usd_per_mtok']:g} out per Mtok a direct "
            f"decision costs ${1000 * claim['per_decision_usd']:.4f} per 1,000{beside} (vendor-claimed: "
            f"{claim['source']})."
        )
    if cost["forecast"]:
        lines.append(f"Expiry date of the optimisation layer: {_forecast(cost['forecast'])} (assumed).")
    if unknown := [name for name, each in cost["break_even"].items() if each["state"] == "unknown input"]:
        lines.append(f"Break-even not known for {', '.join(unknown)}; report.json says what is missing for each.")
    return lines


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


def _break_even(name: str, found: Mapping[str, Any]) -> str:
    what, pattern = BREAK_EVENS[name]
    if found["state"] == "never":
        return f"{what} never, whatever {name.replace('_', ' ')}"
    if found["value"] is None:
        return ""
    inside = ""
    if found["low"] is not None and found["high"] is not None:
        inside = f" [{found['low']:.3g}, {found['high']:.3g}]"
    past = ", already past" if found["state"] == "already past" else ""
    return f"{what} {found['wins']} {pattern.format(found['value'])}{inside}{past}"


def _forecast(forecast: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in forecast.items() if isinstance(value, str))
