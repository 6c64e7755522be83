"""The page: the sections in their order, the style and the scripts, in one file that asks the network for nothing.

A section is `sections/NAME.py`, a picture `charts/NAME.py`; what they draw with is `svg.py`. No figure is worked out
here. The policy in the head forbids every request, and scripts of other origins.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from benchmarks.report import terminal
from benchmarks.report.html.run import AGAIN, Run, read_run
from benchmarks.report.html.sections import (
    assumptions,
    code,
    cost,
    drills,
    faults,
    latency,
    maintenance,
    provenance,
    quality,
    requests,
    verdict,
)
from benchmarks.report.html.svg import element
from shared.errors import BadInput
from shared.files import replacing

NAME: Final = "report.html"
ASSETS: Final = Path(__file__).parent / "assets"
STYLES: Final = ("style.css", "exhibits.css", "sliders.css")
SCRIPTS: Final = ("theme.js", "requests.js", "sliders.js")
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
SECTIONS: Final = {
    "verdict": ("Verdict", verdict.section),
    "maintenance": ("Maintenance", maintenance.section),
    "quality": ("Quality", quality.section),
    "latency": ("Latency", latency.section),
    "cost": ("Cost", cost.section),
    "faults": ("Faults", faults.section),
    "code": ("Code", code.section),
    "drills": ("Drills", drills.section),
    "requests": ("Requests", requests.section),
    "assumptions": ("Assumptions", assumptions.section),
    "provenance": ("Provenance", provenance.section),
}
"""By id: the name in the navigation, and what makes the section. In the order of the page."""


def write(directory: Path) -> Path:
    """Make the page of the run in `directory` and put it beside. Raises `BadInput` where that cannot be."""
    run, target = read_run(directory), directory / NAME
    try:
        page = build(run)
    except KeyError as missing:
        raise BadInput(f"{directory / 'report.json'} lacks {missing}; {AGAIN}") from missing
    try:
        with replacing(target) as file:
            file.write(page.encode())
    except OSError as error:
        raise BadInput(f"{target} cannot be written ({error.strerror})") from None
    return target


def build(run: Run) -> str:
    """The whole page. The same run gives the same bytes."""
    title = f"{run.report['verdict']['overall']}: legacy and direct on the same requests"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        '<link rel="icon" href="data:,">',
        element("title", escape(title)),
        *(element("style", _asset(name)) for name in STYLES),
    )
    told = element("p", escape(f"{terminal.headline(run.report)}."), class_="note")
    links = "".join(element("li", element("a", name, href=f"#{id_}")) for id_, (name, _) in SECTIONS.items())
    button = element("button", "Theme", id="theme", type="button", hidden=True)
    body = element(
        "body",
        element("a", "Skip to the verdict", class_="skip", href="#verdict"),
        element("header", element("h1", "Legacy and direct on the same requests"), told, class_="page"),
        element("nav", element("div", element("ul", links), button), class_="page", aria_label="Sections"),
        element("main", *(make(run) for _, make in SECTIONS.values())),
        *(element("script", _asset(name)) for name in SCRIPTS),
    )
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
