"""The sentences follow the cells: each is there because of a figure, and says it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.cell import Arm, Cell, Place
from benchmarks.faults.words import headline, modes, not_there, outlived, words

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
    slowest_s: float = 1.5,
    ways: dict[str, int] | None = None,
    **fields: object,
) -> Cell:
    """A cell whose counts add up."""
    if ways is None:
        ways = {"well: large": well, "degraded: another model's text by large": degraded, "failed: BadAnswer": failed}
    return Cell(
        arm, fault, place, well + degraded + failed + wrong + undetected, well, degraded,
        {"BadAnswer": failed} if failed else {}, wrong, undetected, 0, late, None, slowest_s,
        {way: count for way, count in ways.items() if count}, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def test_what_must_never_be_comes_first_and_names_the_cell() -> None:
    found = words([cell(well=9), cell("direct", "hang", "call", well=90, wrong=2, late=1)])
    assert found[0] == (
        "BROKEN: direct with hang in call (virtual): 2 wrong and 0 lost of 92, 0 wrong or lost of 0 after it, 1 late, "
        "0 model calls left running."
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"after": 30, "lingering": {"wrong: another text by kept": 3}}, "3 wrong or lost of 30 after it, 0 late"),
        ({"after": 30, "lingering": {"lost: no outcome": 1}}, "1 wrong or lost of 30 after it, 0 late"),
        ({"abandoned": 7}, "0 late, 7 model calls left running."),
        ({"at_once": 4, "late": 2}, "0 wrong or lost of 0 after it, 2 late"),
    ],
)
def test_nor_may_it_be_after_the_fault_or_behind_everybodys_back(fields: dict[str, Any], told: str) -> None:
    found = words([cell(well=9, **fields), cell("direct", place="call", well=9)])[0]
    assert found.startswith("BROKEN: legacy with 500 in large (virtual): 0 wrong and 0 lost of 9")
    assert told in found


def test_where_nothing_is_broken_the_first_sentence_says_of_how_many() -> None:
    cells = [cell(well=9, after=3), cell("direct", place="call", well=1000, after=30)]
    assert words(cells)[0].startswith("Of 1,009 requests sent during faults and 33 after them none was lost")
    assert headline(cells)[0] == words(cells)[0]


def test_what_cannot_be_noticed_is_told_with_its_count() -> None:
    misled = [
        cell(fault="other-model", place="small", well=8, undetected=2),
        cell(fault="other-model", well=6, undetected=4, after=30, lingering={"undetected: another text by kept": 3}),
        cell("direct", "other-model", "call", well=3, undetected=7),
    ]
    found = words([*misled, cell(fault="500", well=9)])
    assert [each for each in found if "cannot be noticed" in each] == [
        "other-model (virtual; another model answers under this one's name) cannot be noticed: another text was given "
        "to 2 of 10 requests by legacy (small), 4 of 10 requests by legacy (large) and 7 of 10 requests by direct "
        "(call). It stays among the answers that are kept: given to 3 of the next 30 by legacy (large)."
    ]
    assert not any("goes on when it is over" in each for each in found)


@pytest.mark.parametrize("misled", [(0, 5), (5, 0)])
def test_who_was_misled_outlived_nothing(misled: tuple[int, int]) -> None:
    legacy = cell(fault="other-model", well=90, failed=10, undetected=misled[0])
    direct = cell("direct", "other-model", "call", well=10, failed=90, undetected=misled[1])
    assert outlived([legacy, direct]) == {"legacy": [], "direct": []}
    assert not any("outlives what" in each for each in words([legacy, direct]))


def test_modes_are_distinct_ways_and_answers_as_usual_are_none() -> None:
    cells = [
        cell(well=5, degraded=3, failed=2),
        cell(fault="429", well=5, failed=5),
        cell("direct", place="call", well=7, failed=3),
    ]
    assert modes(cells) == {
        "legacy": {"degraded: another model's text by large": ["500"], "failed: BadAnswer": ["500", "429"]},
        "direct": {"failed: BadAnswer": ["500"]},
    }
    both = [
        "legacy has 2 failure modes that give a user an error or another text (2 with those that give the same text by "
        "another way), over 2 pairs of fault and place; direct has 1 failure mode that gives a user an error or "
        "another text (1 with those that give the same text by another way), over 1 pair of fault and place."
    ]
    assert [each for each in words(cells) if "failure mode" in each] == both
    again = [*cells, *(replace(each, played="wire") for each in cells)]
    assert modes(again) == modes(cells), "played in two ways it is still one fault"
    assert [each for each in words(again) if "failure mode" in each] == both


def test_a_call_for_a_hit_is_a_mode_of_its_own_kind_and_a_hit_for_a_call_is_none() -> None:
    ways = {
        "degraded: large instead of kept, the same text": 3,
        "degraded: kept instead of large, the same text": 2,
        "failed: BadAnswer": 1,
    }
    cells = [cell(degraded=5, failed=1, ways=ways), cell("direct", place="call", well=6)]
    assert modes(cells)["legacy"].keys() == {"degraded: large instead of kept, the same text", "failed: BadAnswer"}
    (told,) = [each for each in words(cells) if "failure mode" in each]
    assert told.startswith("legacy has 1 failure mode that gives a user an error or another text (2 with those")


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


def test_under_load_one_outlives_the_other_only_over_all_that_is_assumed() -> None:
    def load(arm: Arm, answered: int, at_once: int | None) -> Cell:
        fault = "ten-times-the-load"
        return cell(arm, fault, "process", well=answered, failed=100 - answered, calls=100, at_once=at_once)

    cells = [load("legacy", 100, None), *(load("legacy", 100, number) for number in (16, 32, 64))]
    cells += [load("direct", 79, None), *(load("direct", 79 + 21 * (number > 1), number) for number in (1, 2, 4))]
    assert outlived(cells) == {"legacy": [], "direct": []}
    only_one = [each for each in cells if each.at_once not in (2, 4)]
    assert outlived(only_one) == {"legacy": ["ten-times-the-load"], "direct": []}
    (told,) = [each for each in words(cells) if each.startswith("ten-times")]
    assert told.endswith(
        "How many requests a model serves at once is assumed: legacy answers 100% with 16 to 64; direct answers 79% "
        "with 1 and 100% with 2 to 4. That each accepts 256, running and waiting, is assumed too."
    )
    assert words(cells)[0].startswith("Of 200 requests"), "told once"


def test_a_part_that_costs_no_answer_but_much_time_says_so() -> None:
    cells = [
        cell(fault="cache-full", place="cache", well=9, degraded=1),
        cell(fault="cache-pickle", place="cache", well=8, degraded=2),
        cell(fault="cache-slow-store", place="cache", well=10, slowest_s=17.0),
    ]
    assert [each for each in words(cells) if "of its cache" in each] == [
        "legacy: under 1 fault of its cache no answer is lost and none is another: cache-slow-store; 100% of requests "
        "are answered, 100% with the usual text by the usual way; the slowest request takes 17.0 s (cache-slow-store).",
        "legacy: under 2 faults of its cache no answer is lost: cache-full, cache-pickle; 100% of requests are "
        "answered, 80% to 90% with the usual text by the usual way.",
    ]


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
