"""The default timeline as it is shipped: what docs/drift.md quotes of it is what the command prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality.drift import play
from benchmarks.quality.drift_table import table
from benchmarks.quality.timeline import DEFAULT, KINDS, plan

DOCS = Path(__file__).parents[2] / "docs" / "drift.md"
MARKS = "<!-- crossover drift -->\n\n", "\n<!-- /crossover drift -->"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return play(plan(None))


def excerpt(document: dict[str, Any]) -> str:
    """All but the table of epochs and the last paragraph, indented as Markdown quotes what a command prints."""
    result, _, *events, _ = table(document).split("\n\n")
    return "".join(f"    {line}".rstrip() + "\n" for line in "\n\n".join((result, *events)).splitlines())


def test_every_kind_of_event_is_played(document: dict[str, Any]) -> None:
    made = plan(DEFAULT)
    assert made.timeline.epochs >= 30
    assert {event.kind for event in made.timeline.events} == {each.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
                                                              for each in KINDS}  # fmt: skip
    assert document["notes"] == [], "both classifiers are there or can be trained"
    assert [turn["epoch"] for turn in document["events"]] == [6, 10, 14, 18, 22, 26, 30]


def test_careful_serves_nothing_under_a_policy_that_has_passed(document: dict[str, Any]) -> None:
    shares = {preset: document["overall"]["hits"][preset]["share"] for preset in ("careful", "typical")}
    assert shares["careful"]["older_policy"] == 0.0 < shares["typical"]["older_policy"]


def test_the_input_monitor_notices_that_the_traffic_turns_harder(document: dict[str, Any]) -> None:
    mix = document["events"][0]
    assert mix["events"] == ["the traffic's mix changes"]
    for each in ("psi", "ks"):  # of the prompts: no classifier has a say in them
        assert mix["inputs"]["prompt_length"][f"{each}_p"] < 0.05
        assert document["epochs"][4]["inputs"]["prompt_length"][f"{each}_p"] > 0.05, "nothing has happened yet"


def test_lines_are_of_a_width_that_can_be_read(document: dict[str, Any]) -> None:
    assert max(map(len, table(document).splitlines())) <= 120


def test_the_documents_excerpt_is_what_the_command_prints(document: dict[str, Any]) -> None:
    pytest.importorskip("river")
    held = DOCS.read_text().partition(MARKS[0])[2].partition(MARKS[1])[0]
    assert held == excerpt(document), "run: python -m tests.quality.test_drift_default"


if __name__ == "__main__":
    before, _, rest = DOCS.read_text().partition(MARKS[0])
    DOCS.write_text(before + MARKS[0] + excerpt(play(plan(None))) + MARKS[1] + rest.partition(MARKS[1])[2])
