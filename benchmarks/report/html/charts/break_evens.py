"""What the report's break-evens say: in words, and as the table behind the map of `crossover_map.py`.

Each holds with all else as it is now (`benchmarks/cost/break_even.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.table_text import Table

NAMES: Final = {
    "speed": "direct's speed", "quality": "quality", "price": "direct's price", "hit_rate": "hit rate",
    "volume": "requests a month", "engineering_rate": "an engineer's hour",
}  # fmt: skip
GAINS: Final = {"price": "Direct costs less per acceptable decision", "speed": "Direct's p99 is lower"}
LOSSES: Final = {"price": "Direct costs more per acceptable decision", "speed": "Direct's p99 is higher"}
HEAD: Final = ("quantity", "direct is better", "now", "state", "why", "standing")
NOTE: Final = "Each holds with all else as it is now."


def price(report: Mapping[str, Any]) -> dict[str, Any]:
    """The break-even of price, and whether its `now` is `claimed`: that of the vendor's claim, for none is known."""
    entry = report["cost"]["break_even"]["price"]
    claim = entry.get("at_vendor_claim")
    if entry["now"] is None and claim and claim["now"] is not None:
        return {**(claim if entry["state"] == "unknown input" else entry), "now": claim["now"], "claimed": True}
    return {**entry, "claimed": False}


def words(report: Mapping[str, Any]) -> str:
    """What decides, where cost and p99 change sides, where this run stands, and what is not known."""
    even, priced = report["cost"]["break_even"], price(report)
    said = [_quality(report["quality"]["questions_like_these"]["difference"]), _side("price", priced)]
    if priced["now"] is None:
        said.append("Its price is not known.")
    else:
        whose = "; no price is published, this is what the vendor's claim leads to" if priced["claimed"] else ""
        said.append(f"Its price is {priced['now']:.3g} {priced['unit']}{whose}.")
    said.append(_side("speed", even["speed"]))
    dark: dict[str, list[str]] = {}
    for name, each in even.items():
        if name not in GAINS and each["state"] == "unknown input":
            dark.setdefault(each["reason"], []).append(NAMES[name])
    said += [f"Where it changes with {' and '.join(names)} is not known: {why}." for why, names in dark.items()]
    return " ".join(said)


def table(report: Mapping[str, Any]) -> Table:
    """Every break-even, and where there is one its value at the price that the vendor's claim leads to."""
    return Table("Where the answer changes", NOTE, HEAD, list(_rows(report)))


def _quality(found: Mapping[str, Any] | None) -> str:
    rule = "Over all requests, quality comes before cost, and cost before p99."
    if found is None or found["estimate"] is None:
        return f"{rule} Quality is not measured, so the map is undecided throughout."
    if found["word"] == "worse":
        return f"{rule} Direct is worse in quality, which no speed and no price changes: legacy wins all over the map."
    if not found["not_worse"]:
        return f"{rule} Direct is not shown to be not worse in quality, so the map is undecided throughout."
    return f"{rule} Direct is not worse in quality by the margin, so the map shows what cost and p99 decide."


def _side(name: str, entry: Mapping[str, Any]) -> str:
    if entry["state"] == "unknown input":
        return f"Where the answer changes with {NAMES[name]} is not known: {entry['reason']}."
    why = f" ({entry['reason']})" if entry["reason"] else ""
    if entry["value"] is None:
        return f"{(GAINS if entry['state'] == 'already past' else LOSSES)[name]} at every {name}{why}."
    return f"{GAINS[name]} {_valued(entry)}{why}."


def _valued(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "not known" if entry["state"] == "unknown input" else "at no value of it, or at every one"
    ends = ["no end" if entry[end] is None else f"{entry[end]:.3g}" for end in ("low", "high")]
    interval = f" [{ends[0]}, {ends[1]}]" if ends != ["no end", "no end"] else ""
    return f"{entry['wins']} {entry['value']:.3g}{interval} {entry['unit']}"


def _rows(report: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, entry in report["cost"]["break_even"].items():
        claim = entry.get("at_vendor_claim")
        pointer = f"/cost/break_even/{name}"
        for each, about, where in ((entry, "", pointer), (claim, ", at vendor's claim", f"{pointer}/at_vendor_claim")):
            if each:
                now = "not known" if each["now"] is None else f"{each['now']:.3g}"
                standing = report["standing"].get(where, "")
                yield [NAMES[name] + about, _valued(each), now, each["state"], each["reason"], standing]
