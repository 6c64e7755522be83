"""How much there is to maintain: lines of code and knobs of each pipeline's folder, counted in this clone.

A line of code is a line with at least one token that is neither comment nor docstring. Counts are surface, not
effort: the change drills that measure effort are another measure.
"""

from __future__ import annotations

import ast
import tokenize
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmarks.scenario import ARMS, Arm
from legacy_pipeline.settings import Settings as LegacySettings

ROOT = Path(__file__).parents[2]
OPTIONAL = {"semantic.py", "paraphrase.py", "wording.py", "rewrites.py", "likeness.py"}
"""The semantic cache, off by default: counted apart, so that nothing switched off weighs on the legacy side."""
OPTIONAL_KNOBS = ("semantic", "abstain")
QUIET = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def measure() -> dict[str, Any]:
    """Counts of each arm's folder."""
    knobs: dict[Arm, list[str]] = {"legacy": list(LegacySettings.model_fields), "direct": []}
    files = {arm: sorted((ROOT / f"{arm}_pipeline").rglob("*.py")) for arm in ARMS}
    return {
        arm: {
            "lines": sum(lines_of_code(file) for file in files[arm] if file.name not in OPTIONAL),
            "optional_lines": sum(lines_of_code(file) for file in files[arm] if file.name in OPTIONAL),
            "modules": sum(file.name not in OPTIONAL for file in files[arm]),
            "knobs": sum(not knob.startswith(OPTIONAL_KNOBS) for knob in knobs[arm]),
            "optional_knobs": sum(knob.startswith(OPTIONAL_KNOBS) for knob in knobs[arm]),
        }
        for arm in ARMS
    }


def lines_of_code(file: Path) -> int:
    """Lines that hold code: blank lines, comments and docstrings do not count."""
    with tokenize.open(file) as source:
        text = source.read()
    docstrings = set[int]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = set[int]()
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type not in QUIET:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def knob_table(settings: type[BaseModel]) -> str:
    """The Markdown table of a settings class, as the pipelines' READMEs hold it."""
    lines = ["| knob | default | bounds | meaning |", "|---|---|---|---|"]
    for name, knob in settings.model_fields.items():
        bounds = ", ".join(str(each).replace("(", " ").replace(")", "").partition(" ")[2] for each in knob.metadata)
        default = sorted(knob.default) if isinstance(knob.default, frozenset) else knob.default
        lines.append(f"| `{name}` | {default} | {bounds or '-'} | {knob.description} |")
    return "\n".join(lines)
