"""Where the figures come from: versions, seeds, the scenario, models, prices, hardware, what was assumed, standings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from benchmarks.report import html, terminal
from benchmarks.report.html import svg
from benchmarks.report.html.run import Run
from benchmarks.report.html.svg import element, table_of
from benchmarks.table_text import Table


def section(run: Run) -> str:
    """Tables, the long ones folded; the notes as the terminal shows them."""
    provenance = run.report["provenance"]
    notes = "".join(element("li", escape(note)) for note in terminal.notes(run.report))
    return svg.section(
        "provenance",
        "Provenance",
        table_of(_run(run.report)),
        _folded("The whole scenario", Table("Scenario", "", ("key", "value"), list(_flat(provenance["scenario"])))),
        element("h3", "Models and prices"),
        table_of(_models(provenance["models"])),
        table_of(_prices(provenance["prices"])),
        element("h3", "Hardware") if provenance["hardware"] else None,
        *_hardware(provenance["hardware"]),
        element("h3", "Assumptions"),
        table_of(_assumptions(run.report)),
        element("h3", "Notes"),
        element("ul", notes),
        element("h3", "Standing of the figures"),
        table_of(_standings(run.report["standing"])),
        _folded("The word of every part", _pointers(run.report["standing"])),
    )


def _folded(summary: str, table: Table) -> str:
    return element("details", element("summary", escape(summary)), table_of(table))


def _run(report: Mapping[str, Any]) -> Table:
    provenance, run = report["provenance"], report["provenance"]["run"]
    workload = provenance["workload"]
    split = f", {workload['split']} split" if workload["split"] else ""
    told = [
        ("date", run["date"]),
        ("took", f"{run['seconds']:.1f} s"),
        ("machine", run["machine"]),
        ("Python", run["python"]),
        *run["packages"].items(),
        ("seed", str(provenance["scenario"]["seed"])),
        ("workload", f"{workload['name']}, version {workload['version']}{split}"),
        ("order", provenance["order"]),
        ("stopped early", provenance["stopped"] or "no"),
        ("report", report["schema"]),
    ]
    return Table("The run", "", ("what", "value"), told)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A nested document as dotted keys, as one would write them in a scenario file."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    else:
        yield name, _said(value)


def _said(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | dict):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _models(models: Mapping[str, Mapping[str, str]]) -> Table:
    rows = [
        (name, model["model"], model["provider"], model["base_url"] or "-", model["version"] or "not known")
        for name, model in models.items()
    ]
    return Table("Models", "", ("place", "model", "provider", "URL", "version"), rows)


def _prices(prices: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = []
    for name, price in prices.items():
        figures = [_dollars(price[key]) for key in ("input_usd", "output_usd", "per_call_usd")]
        rows.append((name, price["name"] or "-", *figures, price["standing"], price["source"]))
    head = ("place", "price", "in, $ per Mtok", "out, $ per Mtok", "$ a call", "standing", "source")
    return Table("Prices", "", head, rows)


def _dollars(usd: float | None) -> str:
    return "not known" if usd is None else f"{usd:g}"


def _hardware(hardware: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each row of the catalogue once, with the places that it stands for."""
    places: dict[str, list[str]] = {}
    for place, row in hardware.items():
        places.setdefault(row["id"], []).append(place)
    for row in {row["id"]: row for row in hardware.values()}.values():
        rows = [
            (name, _figure(each["value"]), _range(each), each["standing"], each["source"] or "-", each["date"] or "-")
            for name, each in row["figures"].items()
        ]
        title = f"{row['id']}: {row['name']}, serving {row['model']}, for {', '.join(places[row['id']])}"
        yield table_of(Table(title, "", ("figure", "value", "range", "standing", "source", "date"), rows))


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:,g}" if value < 1e6 else f"{value:,.0f}"


def _range(each: Mapping[str, Any]) -> str:
    if each["low"] is None and each["high"] is None:
        return "-"
    return " to ".join("no end" if each[end] is None else _figure(each[end]) for end in ("low", "high"))


def _assumptions(report: Mapping[str, Any]) -> Table:
    """Every figure of the run that is a guess with a range: of cost, of hours, of hardware."""
    drills = report["maintenance"]["drills"]
    groups = {"cost": report["provenance"]["scenario"]["cost"], "hours of work": drills["assumed"] if drills else {}}
    rows = []
    for group, named in groups.items():
        for name, each in named.items():
            if isinstance(each, Mapping):
                rows.append((f"{group}: {name}", _figure(each["value"]), _range(each), each["why"]))
    for row in {row["id"]: row for row in report["provenance"]["hardware"].values()}.values():
        for name, each in row["figures"].items():
            if each["standing"] == "assumed" and each["value"] is not None:
                rows.append((f"{row['id']}: {name}", _figure(each["value"]), _range(each), each["source"]))
    return Table("What is assumed, and why", "", ("what", "value", "range", "why"), rows)


def _standings(standing: Mapping[str, str]) -> Table:
    counts = Counter(standing.values())
    rows = [(word, meaning, str(counts[word])) for word, meaning in html.STANDINGS.items()]
    return Table("How the report's figures came to be", "", ("word", "it means", "parts"), rows)


def _pointers(standing: Mapping[str, str]) -> Table:
    note = "Each holds for all that lies below it in report.json and has no word of its own."
    return Table("Standing by JSON pointer", note, ("part", "word"), sorted(standing.items()))
