"""Code and patches as markup: every line in an element of its own, numbered or coloured by `assets/exhibits.css`.

The text is shown as it is: no line is moved, joined or left out but what `git diff` says about itself. Next:
`sections/code.py` and `sections/drills.py`, which lay two of them side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from benchmarks.report.html.svg import element

_FILE: Final = re.compile(r"diff --git a/(.+) b/(.+)")
MARKS: Final = {"+": "ins", "-": "del", "\\": "hunk"}
"""Classes of a patch's lines by their first letter; the letter stays, so that no colour is needed to read them."""
ABOUT: Final = {"new file mode ": " (new)", "deleted file mode ": " (deleted)"}


def code(text: str, label: str) -> str:
    """A file's lines with their numbers, which are drawn and are no part of the text."""
    lines = "\n".join(element("span", escape(line)) for line in text.removesuffix("\n").split("\n"))
    return _box(lines, label, "code")


def patch(text: str, label: str) -> str:
    """What `git diff` printed: a heading for each file, then its hunks."""
    return _box("\n".join(_lines(text)), label, "patch")


def _box(lines: str, label: str, kind: str) -> str:
    """It scrolls sideways by keyboard as well."""
    return element("pre", lines, class_=kind, tabindex=0, role="region", aria_label=label)


def _lines(text: str) -> Iterator[str]:
    """Above a file's first hunk stands what git says about the file, in which `---` is no removed line."""
    about = ""
    in_hunk = False
    for line in text.removesuffix("\n").split("\n"):
        if named := _FILE.fullmatch(line):
            if about:
                yield element("span", escape(about), class_="file")
            about, in_hunk = named[2] if named[1] == named[2] else f"{named[1]}, renamed {named[2]}", False
        elif line.startswith("@@"):
            if about:
                yield element("span", escape(about), class_="file")
            about, in_hunk = "", True
            yield element("span", escape(line), class_="hunk")
        elif in_hunk:
            yield element("span", escape(line), class_=MARKS.get(line[:1]))
        else:
            about += next((said for head, said in ABOUT.items() if line.startswith(head)), "")
    if about:
        yield element("span", escape(about), class_="file")
