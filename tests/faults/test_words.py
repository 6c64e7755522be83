"""The sentences follow the cells: each is there because of a figure, and says it."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.faults.cell import Arm, Cell, Place
from benchmarks.faults.words import modes, not_there, outlived, words

ROOT = Path(__file__).parents[2]


def cell(
    arm: Arm = "legacy",
    fault: str = "500",
    place: Place = "large",
    *,
    well: int = 0,
    degraded: int = 0,
    failed: int = 0,
    wrong: int = 0,
    undetected: int = 0,
    late: int = 0,
    **fields: object,
) -> Cell:
    """A cell whose counts add up."""
    ways = {"well: large": well, "degraded: large instead of small": degraded, "failed: BadAnswer": failed}
    return Cell(
        arm, fault, place, well + degraded + failed + wrong + undetected, well, degraded,
        {"BadAnswer": failed} if failed else {}, wrong, undetected, 0, late, None, 1.5,
        {way: count for way, count in ways.items() if count}, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def test_what_must_never_be_comes_first_and_names_the_cell() -> None:
    found = words([cell(well=9), cell("direct", "hang", "call", well=90, wrong=2, late=1)])
    assert found[0] == "BROKEN: direct with hang in call (virtual): 2 wrong, 0 lost, 1 late of 92."


def test_where_nothing_is_broken_the_first_sentence_says_of_how_many() -> None:
    assert words([cell(well=9), cell("direct", place="call", well=1000)])[0].startswith("Of 1,009 requests")


def test_what_cannot_be_noticed_is_told_with_its_count() -> None:
    found = words([cell(fault="other-model", well=6, undetected=4), cell("direct", "other-model", "call", well=10)])
    assert [each for each in found if "cannot be noticed" in each] == [
        "legacy: other-model in large (virtual; another model answers under this one's name) cannot be noticed: "
        "4 of 10 requests were given another text."
    ]


def test_modes_are_distinct_ways_and_answers_as_usual_are_none() -> None:
    cells = [
        cell(well=5, degraded=3, failed=2),
        cell(fault="429", well=5, failed=5),
        cell("direct", place="call", well=7, failed=3),
    ]
    assert modes(cells) == {
        "legacy": {"degraded: large instead of small": ["500"], "failed: BadAnswer": ["500", "429"]},
        "direct": {"failed: BadAnswer": ["500"]},
    }
    assert "legacy has 2 failure modes over 2 cells; direct has 1 failure mode over 1 cell." in words(cells)


def test_either_side_can_outlive_the_other_and_it_is_said_with_the_shares() -> None:
    legacy_ahead = [cell(well=30, failed=70, fault="hang"), cell("direct", "hang", "call", failed=100)]
    assert outlived(legacy_ahead) == {"legacy": ["hang"], "direct": []}
    assert any(
        each.startswith(
            "legacy outlives what direct does not: under 1 fault of the main model it goes on answering 30%"
        )
        and "where direct answers 0% (hang)" in each
        for each in words(legacy_ahead)
    )
    assert "direct outlives no fault of the main model that legacy does not." in words(legacy_ahead)
    direct_ahead = [cell(well=30, failed=70, fault="hang"), cell("direct", "hang", "call", well=40, failed=60)]
    assert outlived(direct_ahead) == {"legacy": [], "direct": ["hang"]}
    assert any(each.startswith("direct outlives what legacy does not") for each in words(direct_ahead))


def test_a_difference_within_the_margin_is_none() -> None:
    assert outlived([cell(well=96, failed=4), cell("direct", place="call", well=100)]) == {"legacy": [], "direct": []}


def test_a_fault_that_outlasts_itself_is_told_and_an_answer_made_anew_is_not() -> None:
    lasting = cell(well=5, after=30, lingering={"failed: DeadlineExceeded": 2, "degraded: large instead of kept": 9})
    assert [each for each in words([lasting]) if "goes on" in each] == [
        "legacy: 500 in large goes on when it is over: of the next 30 requests 2 requests ended with failed: "
        "DeadlineExceeded (2)."
    ]
    assert not any(
        "goes on" in each for each in words([cell(well=5, lingering={"degraded: large instead of kept": 9})])
    )


def test_process_faults_are_told_side_by_side_and_a_killed_one_by_what_was_under_way() -> None:
    found = words([
        cell(fault="stampede", place="process", well=10, calls=1),
        cell("direct", "stampede", "process", well=10, calls=10),
        cell(fault="killed", place="process", well=2, failed=8, played="process", after=5),
        cell("direct", "killed", "process", well=1, failed=9, played="process"),
    ])  # fmt: skip
    assert [each for each in found if "process is killed" in each or "clients ask" in each] == [
        "stampede (many clients ask the same new question at once): legacy answers 100% with 1 model call, the slowest "
        "in 1.50 s; direct answers 100% with 10 model calls, the slowest in 1.50 s.",
        "killed (the process is killed in the middle of writes): legacy answered 2 of 10 requests under way, 8 ended "
        "with BadAnswer, after a restart 5 of 5 were as before; direct answered 1 of 10 requests under way, 9 ended "
        "with BadAnswer.",
    ]


def test_what_one_pipeline_lacks_is_not_there() -> None:
    cells = [cell(fault="cache-full", place="cache", well=1), cell(well=1), cell("direct", place="call", well=1)]
    assert not_there(cells) == {"cache-full": ["direct"]}
    assert any("Cache is not there in direct and cannot fail." in each for each in words(cells))


def test_the_recorded_sentences_are_those_of_the_recorded_cells_and_stand_in_the_document() -> None:
    document = json.loads((ROOT / "benchmarks" / "faults" / "recorded.json").read_text("utf-8"))
    assert words([Cell(**each) for each in document["cells"]]) == document["words"]
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    held = text.partition("<!-- words -->\n")[2].partition("<!-- /words -->")[0]
    assert held == "".join(f"- {sentence}\n" for sentence in document["words"])
