"""What `crossover usecases` prints: a table a use, and the assumptions they rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

NOT_KNOWN: Final = "not known"
GAINS: Final = {
    "moderation": ("caught", "false alarms"),
    "personalisation": ("right beyond the cohort's answer", ""),
    "correction": ("corrected", "spoilt"),
}
"""What is gained, as a share of what there is to gain, and what is spoilt, as a share of the rest."""


NOTES: Final = """The stand-ins are far weaker than what they stand for: record your own models before you decide.
Times are those of one request alone at the pace of the hardware row; * rests on an assumed figure of it (see
`crossover hardware show ID`). Prices are list prices, or the rent over the whole deployment's throughput at a
utilisation of 30 % (assumed); (claimed) is a price that a vendor's claim leads to. Coverage is the share of messages
that both the time limit and the budget allow, at the assumed limits and at the ends of their ranges. Worth is the value
gained less the harm done, within what the assumptions and the intervals allow together; bearable is the share of false
alarms at which it is worth nothing. What is not known passes no test, and what covers no message pays for none."""

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def text(found: Mapping[str, Any], *, markdown: bool = False) -> str:
    """The whole report: one table a use, the stand-ins, the assumptions."""
    table = _markdown if markdown else _plain
    parts = []
    for name, use in found["uses"].items():
        gained, spoilt = GAINS[name]
        head = ["hardware", gained, *([spoilt, "bearable"] if spoilt else []), "in time", "added p50", "$ per 1,000",
                "coverage", "worth $ per 1,000", "pays below $/Mtok", "pays"]  # fmt: skip
        lines = [[id_, *_cells(row, spoilt=bool(spoilt))] for id_, row in use["rows"].items()]
        title = f"{use['title'][0].upper()}{use['title'][1:]}; today: {use['today']}"
        heading = f"## {title}\n\n{use['stands_for']}" if markdown else f"{title}\n  {use['stands_for']}"
        parts += [heading, table(head, lines), _sampled(found["stand_ins"], use["rows"], gained, table)]
    parts += ["## Assumptions" if markdown else "Assumptions (value, and the range it may lie in)", table(
        ["name", "value", "low", "high", "why"],
        [[name, *(f"{each[key]:g}" for key in ("value", "low", "high")), each["why"]]
         for name, each in found["assumptions"].items()],
    )]  # fmt: skip
    return "\n\n".join([*parts, _notes(found)])


def _cells(row: Mapping[str, Any], *, spoilt: bool) -> list[str]:
    if row["not_known"]:
        return [row["not_known"], *[""] * (10 if spoilt else 8)]
    assumed, rented = ("*" if row["assumed_figures"][what] else "" for what in ("time", "cost"))
    most, claim = row["spoilt_at_most"], row["at_claimed"]
    again = "" if not claim or claim["pays"] == row["pays"] else f"; at the claimed price: {claim['pays']}"
    return [
        _share(row["found"]),
        *([_share(row["spoilt"]), "" if most is None else f"{most:.0%}"] if spoilt else []),
        _or(row["in_time"], lambda share: f"{_share(share)}{assumed}"),
        _or(row["added_p50_s"], lambda value: f"{value * 1e3:.3g} ms{assumed}"),
        _or(row["usd_per_1000"], lambda value: f"{value:.3g}{rented}")
        + (f"; {claim['usd_per_1000']:.3g} (claimed)" if claim else ""),
        _covered(row, assumed or rented)
        + (f"; {_covered(claim, assumed)} (claimed)" if claim and claim["coverage"] else ""),
        _range(row["worth_usd_per_1000"]),
        "at no price" if row["pays"] == "never" else _range(row["pays_below_usd_per_mtok"]),
        f"{row['pays']}{again}",
    ]


def _covered(part: Mapping[str, Any], assumed: str) -> str:
    return _or(part["coverage"], lambda coverage: f"{_share(coverage)}{assumed}")


def _sampled(
    stand_ins: Mapping[str, Mapping[str, str]], rows: Mapping[str, Mapping[str, Any]], gained: str, table: Table
) -> str:
    """What a sample gains beside all, in 1,000 messages: the same on all hardware that one model stands in for."""
    known = {stand_ins[id_]["model"]: row["gained_per_1000"] for id_, row in rows.items() if not row["not_known"]}
    samples = list(next(iter(known.values()), {}))
    head = [f"{gained} in 1,000, of a sample of", *(f"{float(each):.0%}" for each in samples)]
    return table(head, [[model, *(f"{row[each]:.3g}" for each in samples)] for model, row in known.items()])


def _notes(found: Mapping[str, Any]) -> str:
    stand_ins = {(each["model"], each["stands_for"]) for each in found["stand_ins"].values() if each["model"]}
    played = "; ".join(f"{model} for {stands_for}" for model, stands_for in sorted(stand_ins))
    claims = {
        f"{id_} (claimed): {row['at_claimed']['source']}, {row['at_claimed']['standing']}.\n"
        for use in found["uses"].values()
        for id_, row in use["rows"].items()
        if row.get("at_claimed")
    }
    return (
        f"{''.join(sorted(claims))}Shares are of recorded answers of stand-ins, with 95 % intervals: {played}.\n{NOTES}"
    )


def _or(value: Any, shown: Callable[[Any], str]) -> str:
    return NOT_KNOWN if value is None else shown(value)


def _share(part: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * part[key]:.0f}" for key in ("value", "low", "high"))
    return f"{value}% [{low}, {high}]"


def _range(part: Mapping[str, float | None]) -> str:
    value, low, high = ("none" if part[key] is None else f"{part[key]:.2g}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _plain(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head) - 1)]
    return "\n".join(
        "  " + "  ".join([*(cell.ljust(wide) for cell, wide in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in (head, *lines)
    )


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
