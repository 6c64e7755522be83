"""Quality by epoch while traffic, models and policies change, with each event where it happened.

It draws what `crossover drift --out` left beside the run: played in virtual time with recorded answers. Which cause
each loss has is in that command's own output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from benchmarks import strict_json
from benchmarks.quality.drift_table import ARMS, PRESETS, changed
from benchmarks.report.html.svg import LETTER_PX, Scale, element, figure, text
from benchmarks.table_text import Table
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

SCHEMA: Final = "crossover-drift/1"
ID: Final = "chart-drift"
WIDE, LEFT, RIGHT, TOP, HIGH, LINE = 640, 44, 94, 56, 260, 18
STYLES: Final = {"careful": ("s-legacy", None), "typical": ("s-large", "7 4"), "direct": ("s-direct", "2 3")}
NOTE: Final = (
    "Careful is the legacy pipeline as shipped, typical the same with the habits of most caches and a classifier "
    "trained once. Texts are recorded, time and traffic are emulated, and what happens when is assumed."
)


def read(directory: Path) -> Mapping[str, Any] | None:
    """The timeline that lies beside a run; None without one. Raises `BadInput` naming the file."""
    file = directory / "drift.json"
    if not file.is_file():
        return None
    try:
        document = strict_json.loads(contents(file, SETTINGS_BYTES))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); run crossover drift --out again") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file} is no JSON ({error}); run crossover drift --out again") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise BadInput(f"{file}: `schema` is not {SCHEMA!r}; run crossover drift --out again")
    return document


def chart(document: Mapping[str, Any] | None) -> str | None:
    """A line an arm; None without a timeline."""
    if not document:
        return None
    epochs = document["epochs"]
    values = [100 * epoch["quality"][arm] for epoch in epochs for arm in ARMS]
    x = Scale((1, max(2, len(epochs))), (LEFT, WIDE - RIGHT))
    y = Scale((math.floor(min(values) / 10) * 10, math.ceil(max(values) / 10) * 10), (TOP + HIGH, TOP))
    body = [*_grid(x, y), *_events(document, x)]
    for arm in ARMS:
        body += _arm(arm, document, x, y)
    body += _ends(epochs[-1], y)
    first = TOP + HIGH + 56
    told = [f"{number}. epoch {turn['epoch']}: {'; '.join(turn['events'])}" for number, turn in _numbered(document)]
    lines = [line for each in told for line in wrap(each, int(WIDE / LETTER_PX))]
    body += [text(0, first + LINE * number, line) for number, line in enumerate(lines)]
    head = ["epoch", "events", *(f"{arm}, points" for arm in ARMS), *(f"{each}: stale, % of hits" for each in PRESETS)]
    table = Table("Quality by epoch", NOTE, head, [_figures(epoch) for epoch in epochs])
    title, high = "Quality while traffic, models and policies change", first + LINE * len(lines)
    return figure(ID, title, _told(document), "".join(body), WIDE, high, table)


def words(document: Mapping[str, Any] | None) -> str:
    """Quality over all of it, then what each event changed for which arm, as far as it can be told."""
    if not document:
        return "Not measured: crossover drift --out DIR plays a timeline, and is drawn here where DIR is this run's."
    overall = document["overall"]["difference"].items()
    said = [_told(document), *(f"Direct less {preset}: {_points(apart)}." for preset, apart in overall), NOTE]
    for _, turn in _numbered(document):
        told = {arm: change for arm, change in turn["change"].items() if not change["low"] <= 0 <= change["high"]}
        what = "; ".join(f"{arm}{changed(change)}" for arm, change in told.items()) or "no change can be told of any"
        said.append(f"Epoch {turn['epoch']}, {' and '.join(turn['events'])}: {what}.")
    return " ".join(said)


def _told(document: Mapping[str, Any]) -> str:
    overall = document["overall"]["quality"]
    return (
        f"{len(document['epochs'])} epochs, {document['requests']:,} requests: over all of them "
        f"{', '.join(f'{arm} {100 * overall[arm]:.1f} %' for arm in ARMS)}."
    )


def _numbered(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return enumerate(document["events"], start=1)


def _grid(x: Scale, y: Scale) -> Iterator[str]:
    for value, label in y.ticks():
        yield element("line", class_="grid", x1=x.start_px, x2=x.end_px, y1=y(value), y2=y(value))
        yield text(LEFT - 6, y(value) + 4, label, class_="t-muted", text_anchor="end")
    for value, label in x.ticks():
        if value == int(value):
            yield text(x(value), TOP + HIGH + 16, label, class_="t-muted", text_anchor="middle")
    yield text((x.start_px + x.end_px) / 2, TOP + HIGH + 33, "epoch", class_="t-muted", text_anchor="middle")
    yield text(0, 14, "mean score, in %", class_="t-muted")
    yield element("polygon", class_="c-ink", points=_triangle(170, 10))
    yield text(182, 14, "a drop of the line above it is noticed; its colour is the line's")


def _events(document: Mapping[str, Any], x: Scale) -> Iterator[str]:
    for number, turn in _numbered(document):
        at = x(turn["epoch"] - 0.5)
        yield element("line", class_="axis dashed", x1=at, x2=at, y1=TOP - 6.0, y2=float(TOP + HIGH))
        yield text(at, TOP - 10, f"{number}", text_anchor="middle")


def _arm(arm: str, document: Mapping[str, Any], x: Scale, y: Scale) -> Iterator[str]:
    """The line, and a triangle under it where this arm's detector fired."""
    colour, dashes = STYLES[arm]
    places = [(x(epoch["epoch"]), y(100 * epoch["quality"][arm])) for epoch in document["epochs"]]
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    yield element("polyline", class_=f"line {colour}", points=points, stroke_dasharray=dashes)
    for alarm in document["alarms"] or ():
        if alarm["arm"] == arm:
            epoch = (alarm["request"] - 1) // document["timeline"]["requests"]
            across, down = places[epoch]
            place = _triangle(across, down + (20 if arm == PRESETS[0] else 12))
            yield element("polygon", class_=colour.replace("s-", "c-"), points=place)


def _ends(epoch: Mapping[str, Any], y: Scale) -> Iterator[str]:
    """Each arm's name at its line's end, apart far enough to be read."""
    at = -math.inf
    for arm in sorted(ARMS, key=lambda each: -epoch["quality"][each]):
        at = max(at + 15, y(100 * epoch["quality"][arm]) + 4)
        yield text(WIDE - RIGHT + 6, at, f"{arm} {100 * epoch['quality'][arm]:.0f}", class_="t-bold")


def _points(apart: Mapping[str, float]) -> str:
    return f"{100 * apart['estimate']:+.1f} points [{100 * apart['low']:+.1f}, {100 * apart['high']:+.1f}]"


def _triangle(x: float, y: float) -> str:
    return f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y + 4:.1f} {x - 5:.1f},{y + 4:.1f}"


def _figures(epoch: Mapping[str, Any]) -> list[str]:
    stale = [epoch["hits"][preset]["stale"] for preset in PRESETS]
    return [
        str(epoch["epoch"]), "; ".join(epoch["events"]), *(f"{100 * epoch['quality'][arm]:.1f}" for arm in ARMS),
        *("no hits" if share is None else f"{100 * share:.1f}" for share in stale),
    ]  # fmt: skip
