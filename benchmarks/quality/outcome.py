"""A ready outcome: the recorded "answer" is the score that whoever made the table gave, nothing here judges it."""

from __future__ import annotations

from typing import Final

from shared.errors import BadInput

UNGRADABLE: Final = (
    "these questions have graded outcomes only, and nobody here can grade a new answer; to ask a model, import the "
    "table with --reference and --scorer"
)
"""Why no model can be asked a question whose scorer this is: its answer is no outcome, whatever it looks like."""
WORDS: Final = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}


def score(text: str) -> tuple[float, str]:
    """The outcome itself. Raises `BadInput` where the text is none: that is no wrong answer but a wrong recording."""
    value = parse(text)
    if value is None:
        raise BadInput("a recorded outcome is not true, false, yes, no or a number from 0 to 1; import the table again")
    return value, "the outcome as given"


def parse(value: object) -> float | None:
    """A truth value, true, false, yes, no or a number in [0, 1]; None for anything else."""
    if isinstance(value, str):
        text = value.strip().casefold()
        if text in WORDS:
            return WORDS[text]
        try:
            value = float(text) if "_" not in text else None
        except ValueError:
            return None
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value)
    return None
