"""What a killed server left, in the cell that tells it: nothing of it passes silently."""

from __future__ import annotations

import pytest

from benchmarks.faults.killed import DEADLINE_S, Disk, Lives, Sent, cell
from benchmarks.faults.oracle import Ended
from benchmarks.faults.words import words
from shared.contract import Answer, Completion
from shared.steps import Step


def answered(text: str, kind: str) -> Answer:
    return Answer(Completion(text, "m"), [Step(kind, "ok", 0.0, 0.1)], 0.1, 0.1)


def sent(text: str | None, *, repeat: bool = False) -> Sent:
    got = None if text is None else answered(text, "cache" if repeat else "large")
    error = "BackendUnavailable" if got is None else ""
    return Sent(0, "u", repeat, Ended(0.1, DEADLINE_S, got.steps if got else (), got, error), 1.0)


def lived(**left: object) -> Lives:
    """Two requests under way when a server was killed, one asked again of the next, and what was left on disk."""
    seen = Lives(caches=True, usual=[answered("right", "large")])
    seen.under_way, seen.after = [sent("right"), sent(None)], [sent("right", repeat=True)]
    seen.disks, seen.rows, seen.expected = [Disk(unfinished=True, fault="")], {"k": "right"}, {"k": "right"}
    for name, value in left.items():
        setattr(seen, name, value)
    return seen


def test_a_clean_kill_breaks_nothing() -> None:
    found = cell("legacy", lived())
    assert (found.requests, found.well, found.failed) == (2, 1, {"BackendUnavailable": 1})
    assert (found.after, found.lingering, found.broken) == (1, {}, False)


@pytest.mark.parametrize(
    ("left", "lingering"),
    [
        ({"rows": {"k": "half"}}, {"wrong: a stored row holds another text": 1}),
        ({"rows": {"unheard of": "right"}}, {"wrong: a stored row holds another text": 1}),
        ({"disks": [Disk(False, ""), Disk(False, "malformed page")]}, {"lost: the database is damaged": 1}),
        ({"after": [sent("half", repeat=True)]}, {"wrong: another text by kept": 1}),
    ],
)
def test_what_a_kill_damaged_breaks_the_cell_and_is_the_first_sentence(
    left: dict[str, object], lingering: dict[str, int]
) -> None:
    found = cell("legacy", lived(**left))
    assert (found.lingering, found.broken) == (lingering, True)
    assert words([found])[0].startswith("BROKEN: legacy with killed in process (process): 0 wrong and 0 lost of 2, 1 ")
